"""What a project does by itself: immutable tags, retention, webhooks."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select

from authsvc.core.db import db
from authsvc.declared.document import Item, RetentionSchema
from authsvc.declared.places import Kind, Place
from authsvc.immutability import schemas as immutable
from authsvc.immutability import service as immutability
from authsvc.immutability.models import ImmutableTagRule
from authsvc.notification import rules as events
from authsvc.notification import schemas as webhook
from authsvc.notification import service as notification
from authsvc.notification.models import WebhookPolicy
from authsvc.retention import service as retention
from authsvc.retention.models import RetentionPolicy


class ImmutableTagRules(Kind):
    name, one, schema = "immutable_tag_rules", "immutable tag rule", immutable.ImmutableRuleSchema(exclude=["id"])

    def key(self, item: Item) -> str:
        """What it says: there are no two of a project that say the same."""
        wanted = immutable.wanted(item)
        but = ["all but " if one.excludes else "" for one in (wanted.tags, wanted.repositories)]
        return f"of {but[0]}{wanted.tags.pattern} in {but[1]}{wanted.repositories.pattern}"

    def normal(self, place: Place, item: Item) -> Item:
        shown: Item = self.schema.load(self.schema.dump(item))
        return shown

    def present(self, place: Place) -> dict[str, Item]:
        rows = db.session.scalars(immutability.of_project(place.here).order_by(ImmutableTagRule.id))
        items = [self.normal(place, immutable.described(row)) for row in rows]
        return {self.key(item): item for item in items}

    def make(self, place: Place, item: Item) -> str:
        immutability.create(place.giver.name, place.here, immutable.wanted(item))
        return ""

    def change(self, place: Place, item: Item) -> None:
        immutability.update(place.giver.name, place.here, self._row(place, self.key(item)), immutable.wanted(item))

    def remove(self, place: Place, key: str) -> None:
        immutability.remove(place.giver.name, place.here, self._row(place, key))

    def _row(self, place: Place, key: str) -> ImmutableTagRule:
        rows = db.session.scalars(immutability.of_project(place.here)).all()
        return next(row for row in rows if self.key(self.normal(place, immutable.described(row))) == key)


class Retention(Kind):
    name, one, schema, is_single = "retention", "retention policy", RetentionSchema(), True

    def key(self, item: Item) -> str:
        return ""

    def normal(self, place: Place, item: Item) -> Item:
        shown: Item = self.schema.load(self.schema.dump(item))
        rules = [{**rule, "id": 0, "params": rule["params"] or {}} for rule in shown["rules"]]
        return {"schedule": shown["schedule"].strip(), "rules": rules}

    def present(self, place: Place) -> dict[str, Item]:
        policy = self._row(place)
        return {"": self.normal(place, {"schedule": policy.cron, "rules": policy.rules})} if policy is not None else {}

    def make(self, place: Place, item: Item) -> str:
        retention.create(place.giver.name, place.here, retention.Wanted(item["rules"], item["schedule"]))
        return ""

    def change(self, place: Place, item: Item) -> None:
        policy = self._row(place)
        if policy is not None:
            retention.update(place.giver.name, place.here, policy, retention.Wanted(item["rules"], item["schedule"]))

    def remove(self, place: Place, key: str) -> None:
        policy = self._row(place)
        if policy is not None:
            retention.remove(place.giver.name, place.here, policy)

    def _row(self, place: Place) -> RetentionPolicy | None:
        policy: RetentionPolicy | None = db.session.scalar(select(RetentionPolicy).where(RetentionPolicy.project_id == place.id))
        return policy


class Webhooks(Kind):
    name, one, schema = "webhooks", "webhook", webhook.WebhookPolicySchema(exclude=["id", "project_id"])
    secrets = events.SECRETS
    _fields = ("name", "description", "enabled", "event_types", "targets")

    def key(self, item: Item) -> str:
        return str(item["name"])

    def normal(self, place: Place, item: Item) -> Item:
        shown = {name: item[name] for name in self._fields}
        formats = events.FORMATS
        targets = [
            {**target, "payload_format": target["payload_format"] or formats.get(target["type"], ("",))[0]}
            for target in item["targets"]
        ]
        return shown | {"targets": targets, "event_types": list(dict.fromkeys(item["event_types"]))}

    def present(self, place: Place) -> dict[str, Item]:
        rows = db.session.scalars(notification.of_project(place.here).order_by(WebhookPolicy.name))
        return {row.name: self._shown(row) for row in rows}

    def _shown(self, row: WebhookPolicy) -> Item:
        targets = [asdict(target) for target in notification.targets_of(row)]
        return {name: getattr(row, name) for name in self._fields} | {"targets": targets}

    def make(self, place: Place, item: Item) -> str:
        notification.create(place.giver.name, place.here, webhook.wanted(item))
        return ""

    def change(self, place: Place, item: Item) -> None:
        notification.update(place.giver.name, place.here, self._row(place, item["name"]), webhook.wanted(item))

    def remove(self, place: Place, key: str) -> None:
        notification.delete(place.giver.name, place.here, self._row(place, key))

    def _row(self, place: Place, key: str) -> WebhookPolicy:
        row: WebhookPolicy = db.session.scalars(notification.of_project(place.here).where(WebhookPolicy.name == key)).one()
        return row
