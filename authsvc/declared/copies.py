"""Other registries, and what is copied to them and from them."""

from __future__ import annotations

from sqlalchemy import select

from authsvc.core.db import db, reading
from authsvc.core.errors import BadRequest
from authsvc.declared.document import Item, ReplicationSchema
from authsvc.declared.places import Kind, Place
from authsvc.registries import service as registries
from authsvc.registries.models import Registry
from authsvc.registries.providers import LOCAL
from authsvc.registries.remote import Remote
from authsvc.registries.schemas import RegistrySchema
from authsvc.replication import service as replication
from authsvc.replication.models import ReplicationPolicy
from authsvc.replication.service import Wanted


class Registries(Kind):
    name, one, schema = "registries", "registry", RegistrySchema()
    secrets = ("access_secret",)

    def key(self, item: Item) -> str:
        return str(item["name"])

    def normal(self, place: Place, item: Item) -> Item:
        """A secret that is not said is the one that is known."""
        remote, credential = self._remote(item), item["credential"] or {}
        return self._shown(item["name"], item["description"], credential.get("type", ""), remote)

    def present(self, place: Place) -> dict[str, Item]:
        rows = db.session.scalars(registries.every().order_by(Registry.name))
        return {row.name: self._shown(row.name, row.description, row.credential_type, registries.remote_of(row)) for row in rows}

    @staticmethod
    def _shown(name: str, description: str, credential_type: str, remote: Remote) -> Item:
        shown: Item = {"name": name, "url": remote.url, "type": remote.kind, "description": description}
        shown |= {"insecure": remote.insecure, "ca_certificate": remote.ca}
        if remote.auth is None:
            return shown | {"credential": None}
        return shown | {"credential": {"type": credential_type, "access_key": remote.key, "access_secret": remote.secret}}

    def ready(self, place: Place, item: Item) -> None:
        with reading():
            remote = self._remote(item)
        registries.require_healthy(remote)

    def make(self, place: Place, item: Item) -> str:
        credential = item["credential"] or {}
        registries.create(place.giver.name, item["name"], item["description"], credential.get("type", ""), self._remote(item))
        return ""

    def change(self, place: Place, item: Item) -> None:
        given = item | {"credential_type": (item["credential"] or {}).get("type", "")}
        registries.update(place.giver.name, registries.get_by_name(item["name"]), given, self._remote(item))

    def remove(self, place: Place, key: str) -> None:
        registries.delete(place.giver.name, registries.get_by_name(key))

    def _remote(self, item: Item) -> Remote:
        stored = db.session.scalar(registries.every().where(Registry.name == item["name"]))
        credential = item["credential"] or {"access_key": "", "access_secret": ""}
        said = {name: credential.get(name, "") for name in ("access_key", "access_secret")}
        if credential.get("access_key") and not said["access_secret"]:
            said["access_secret"] = None
        return registries.check(item | said, stored)


class Replications(Kind):
    name, one, schema = "replications", "replication policy", ReplicationSchema()
    _same = ("name", "description", "deletion", "override", "enabled", "speed", "copy_by_chunk")

    def key(self, item: Item) -> str:
        return str(item["name"])

    def normal(self, place: Place, item: Item) -> Item:
        return self._normal(item)

    @staticmethod
    def _normal(item: Item) -> Item:
        return {**item, "filters": [{name: value for name, value in one.items() if value != ""} for one in item["filters"]]}

    def present(self, place: Place) -> dict[str, Item]:
        names = {row.id: row.name for row in db.session.scalars(select(Registry))}
        rows = db.session.scalars(replication.every().order_by(ReplicationPolicy.name))
        return {row.name: self._shown(row, names) for row in rows}

    def _shown(self, row: ReplicationPolicy, names: dict[int, str]) -> Item:
        shown = {name: getattr(row, name) for name in self._same}
        return shown | {
            "source": names.get(row.source_id or LOCAL, ""),
            "destination": names.get(row.destination_id or LOCAL, ""),
            "filters": row.filters,
            "namespace": row.namespace,
            "replace_count": row.replace_count,
            "trigger": row.trigger,
            "cron": row.cron,
            "single_active": row.single_active,
        }

    def make(self, place: Place, item: Item) -> str:
        replication.create(place.giver.name, self._wanted(item))
        return ""

    def change(self, place: Place, item: Item) -> None:
        replication.update(place.giver.name, replication.get_by_name(item["name"]), self._wanted(item))

    def remove(self, place: Place, key: str) -> None:
        replication.delete(place.giver.name, replication.get_by_name(key))

    def _wanted(self, item: Item) -> Wanted:
        ends = {end: self._registry(item[end]) for end in ("source", "destination")}
        return Wanted(**{**self._normal(item), **ends})

    @staticmethod
    def _registry(name: str) -> int:
        if not name:
            return LOCAL
        found = db.session.scalar(select(Registry.id).where(Registry.name == name))
        if found is None:
            raise BadRequest(f"there is no registry {name}")
        return int(found)
