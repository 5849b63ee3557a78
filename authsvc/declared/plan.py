"""What is to be changed, so that an installation is as a document says; what the document does not name stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from authsvc import lifecycle
from authsvc.authn import configuration as identity
from authsvc.configuration import service as configuration
from authsvc.configuration.items import ITEMS
from authsvc.configuration.items import Item as ConfigurationItem
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.sealing import MASK
from authsvc.declared.document import Item
from authsvc.declared.kinds import BEFORE, OF_PROJECT, OF_SYSTEM
from authsvc.declared.places import Kind, Place
from authsvc.projects import rules as project_rules
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.quota import service as quota
from authsvc.rbac.principal import Principal
from authsvc.registries import service as registries
from authsvc.users import service as users

Fields = dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is to be made (`+`), changed (`~`) or taken away (`-`). `fields`: what changes in it, from what to what.
    `ready` is called first, outside of transactions, with what ends when all is made; `run` does it, and returns a secret that
    was generated, or ""."""

    sign: str
    what: str
    fields: Fields = field(default_factory=dict)
    run: Callable[[], str] = lambda: ""
    ready: Callable[[ExitStack], None] = lambda _: None

    def __str__(self) -> str:
        told = ", ".join(f"{name}: {_told(before)} -> {_told(after)}" for name, (before, after) in self.fields.items())
        return f"{self.sign} {self.what}" + (f"  {told}" if told else "")


def _told(value: Any) -> str:
    text = "nothing" if value in (None, "", [], {}) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def changes(giver: Principal, document: Item, *, prune: bool) -> list[Change]:
    """In the order in which they can be made. `prune`: of each list that the document has, what it does not name goes.

    Raises:
        BadRequest, NotFound: it cannot be as the document says; the text says of what.
    """
    return list(_changes(giver, document, prune=prune))


def _changes(giver: Principal, document: Item, *, prune: bool) -> Iterator[Change]:
    yield from _configuration(giver, document["configuration"])
    before = [change for kind in BEFORE for change in _of_kind(kind, Place(giver), document, prune=prune)]
    yield from (change for change in before if change.sign != "-")
    _require_distinct("project", (project["name"] for project in document["projects"]))
    for project in document["projects"]:
        yield from _project(giver, project)
        for kind in OF_PROJECT:
            yield from _of_kind(kind, Place(giver, project["name"]), project, prune=prune)
    # Robots of the system may be for projects, replications are between registries, and projects may cache one: what needs others
    # is made after them, and goes before them.
    of_system = [change for kind in OF_SYSTEM for change in _of_kind(kind, Place(giver), document, prune=prune)]
    yield from (change for change in of_system if change.sign != "-")
    yield from (change for change in reversed([*before, *of_system]) if change.sign == "-")


def _of_kind(kind: Kind, place: Place, wanted: Item, *, prune: bool) -> Iterator[Change]:
    given = wanted[kind.name]
    if given is None:
        return
    where = f"project {place.project}: {kind.one}" if place.project else kind.one
    wanted_items = [(item, _normal(kind, place, item, where)) for item in (given if isinstance(given, list) else [given])]
    _require_distinct(where, (kind.key(normal) for _, normal in wanted_items))
    present = kind.present(place) if place.exists else {}
    for item, normal in wanted_items:
        key = kind.key(normal)
        what = f"{where} {key}".strip()
        if key not in present:
            yield Change("+", what, {}, _making(kind, place, key, item, what), _readying(kind, place, item, what))
        elif differing := _difference(present[key], normal, kind.secrets):
            yield Change("~", what, differing, _changing(kind, place, item, what))
    if prune and kind.is_removed:
        named = {kind.key(normal) for _, normal in wanted_items}
        for key in (key for key in present if key not in named):
            yield Change("-", f"{where} {key}".strip(), {}, _removing(kind, place, key))


def _normal(kind: Kind, place: Place, item: Item, where: str) -> Item:
    with _about(f"{where} {kind.key(item)}".strip()):
        return kind.normal(place, item)


@contextmanager
def _about(what: str) -> Iterator[None]:
    """Whatever is wrong is said with what it is about."""
    try:
        yield
    except DomainError as error:
        if not error.message.startswith(what):
            error.message = f"{what}: {error.message}"
            error.args = (error.message,)
        raise


def _readying(kind: Kind, place: Place, item: Item, what: str) -> Callable[[ExitStack], None]:
    def ready(_: ExitStack) -> None:
        with _about(what):
            kind.ready(place, item)

    return ready


def _making(kind: Kind, place: Place, key: str, item: Item, what: str) -> Callable[[], str]:
    def make() -> str:
        with _about(what):
            if key in kind.present(place):  # it came with the project, as its owner's membership does
                kind.change(place, item)
                return ""
            return kind.make(place, item)

    return make


def _changing(kind: Kind, place: Place, item: Item, what: str) -> Callable[[], str]:
    def change() -> str:
        with _about(what):
            kind.change(place, item)
        return ""

    return change


def _removing(kind: Kind, place: Place, key: str) -> Callable[[], str]:
    def remove() -> str:
        kind.remove(place, key)
        return ""

    return remove


def _difference(before: Item, after: Item, secrets: Collection[str]) -> Fields:
    found = {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
    return {name: (_masked(old, secrets), _masked(new, secrets)) for name, (old, new) in found.items()} if secrets else found


def _masked(value: Any, secrets: Collection[str]) -> Any:
    """Without secrets, however deep they are."""
    match value:
        case dict():
            return {name: MASK if name in secrets and inner else _masked(inner, secrets) for name, inner in value.items()}
        case list():
            return [_masked(inner, secrets) for inner in value]
        case _:
            return value


def _require_distinct(what: str, keys: Iterator[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise BadRequest(f"{what} {key} stands twice")
        seen.add(key)


def _configuration(giver: Principal, given: Mapping[str, Any]) -> Iterator[Change]:
    known: dict[str, ConfigurationItem] = {**ITEMS, **identity.ITEMS}
    present = configuration.values() | identity.values()
    after: dict[str, Any] = {}
    for name, value in given.items():
        what = f"configuration {name}"
        if name != "auth_mode" and name not in known:
            raise BadRequest(f"{what}: there is no such item; `authsvc config list` shows them all")
        if name not in present:
            raise BadRequest(f"{what} is a secret: it is set by `authsvc config set`, and said in no document")
        with _about(what):
            after[name] = known[name].parse(name, value) if name in known else str(value)
    differing = {name: (present[name], value) for name, value in after.items() if present[name] != value}
    if differing:
        yield Change("~", "configuration", differing, lambda: _configure(giver, {name: after[name] for name in differing}))


def _configure(giver: Principal, items: Mapping[str, Any]) -> str:
    """All at once: some go together only. And first: an address is tried in a transaction of its own."""
    with _about("configuration"):
        identity.configure(giver.name, items)
    return ""


def _project(giver: Principal, wanted: Item) -> Iterator[Change]:
    name = wanted["name"]
    with _about(f"project {name}"):
        metadata = project_rules.strict_metadata(wanted["metadata"])
    project = projects.find(name, is_name=True)
    if project is None:
        yield Change(
            "+", f"project {name}", {}, lambda: _make_project(giver, wanted, metadata), partial(_take_place, giver, wanted)
        )
        return
    _require_same_upstream(project, wanted["registry"])
    differing: Fields = {
        key: (project.metadata_.get(key), value) for key, value in metadata.items() if project.metadata_.get(key) != value
    }
    if differing:

        def update() -> str:
            projects.update(giver, projects.get_by_name(name), metadata)
            return ""

        yield Change("~", f"project {name}", differing, update)
    limit = wanted["storage_limit"]
    if limit is not None and limit != project.storage_limit:
        yield Change("~", f"project {name}", {"storage_limit": (project.storage_limit, limit)}, _limiting(giver, name, limit))


def _require_same_upstream(project: Project, wanted: str | None) -> None:
    there = registries.get(project.registry_id).name if project.registry_id is not None else ""
    if wanted is not None and wanted != there:
        is_now = f"caches the registry {there}" if there else "has images of its own"
        raise BadRequest(f"project {project.name} {is_now}; that is said once, when it is made")


def _take_place(giver: Principal, wanted: Item, made: ExitStack) -> None:
    with _about(f"project {wanted['name']}"):
        wanted["place"] = made.enter_context(lifecycle.place_of(giver, wanted["name"]))


def _make_project(giver: Principal, wanted: Item, metadata: Mapping[str, str]) -> str:
    with _about(f"project {wanted['name']}"):
        owner = users.get_by_name(wanted["owner"])
        registry = registries.get_by_name(wanted["registry"]) if wanted["registry"] else None
        lifecycle.create_project(giver, owner.id, wanted["place"], metadata, registry)
        if wanted["storage_limit"] is not None:
            _limiting(giver, wanted["name"], wanted["storage_limit"])()
    return ""


def _limiting(giver: Principal, name: str, limit: int) -> Callable[[], str]:
    def set_limit() -> str:
        with _about(f"project {name}"):
            quota.set_limit(giver.name, projects.get_by_name(name), limit)
        return ""

    return set_limit
