"""Whatever others call their things stays text on every page that shows it, in lists, forms, titles and what is to be copied."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType
from authsvc.labels import service as labels
from authsvc.registries.models import Registry
from authsvc.replication.models import ReplicationPolicy
from authsvc.scanners.models import Scanner
from authsvc.users import service as users
from tests.support.hostile import TEXTS
from tests.support.scanner import METADATA
from tests.support.visitor import Visitor, see
from tests.support.world import World

# Of these a page has none, or as many as its frame.
_NEVER = {"img", "svg", "iframe", "style", "base", "object", "embed", "math", "video", "source"}
_FRAME = ("html", "head", "body", "title", "meta", "link", "script")


def test_there_are_two_hundred() -> None:
    assert len(set(TEXTS)) == len(TEXTS) == 200


@pytest.fixture
def boss(world: World) -> Visitor:
    world.project("team", 1)
    made = Visitor(world)
    made.sign_in("admin")
    return made


def _labels(world: World) -> None:
    (project,) = world.api("GET", "/projects?name=team", "admin").get_json()
    for number, text in enumerate(TEXTS):
        labels.create("test", project["project_id"], f"label-{number}", text, "")


def _groups(_: World) -> None:
    for text in TEXTS:
        groups.onboard(GroupName(GroupType.OIDC, text))


def _people(_: World) -> None:
    for number, text in enumerate(TEXTS):
        users.create("test", username=f"user{number:03}", password=None, email=None, realname=text)


def _log(_: World) -> None:
    for text in TEXTS:
        audit.record(text, "create", "label", text, description=text)


def _registries(_: World) -> None:
    for number, text in enumerate(TEXTS):
        db.session.add(
            Registry(name=f"{number:03}{text}"[:255], url="https://far.example.com", type="harbor", access_key=text[:255])
        )


def _scanners(_: World) -> None:
    for number, text in enumerate(TEXTS):
        said = METADATA | {"scanner": {"name": text[:128], "version": text[:128]}}
        url = f"https://far.example.com/{number}"
        db.session.add(Scanner(uuid=f"{number}", name=f"{number:03}{text}"[:255], url=url, said=said))


def _policies(_: World) -> None:
    for number, text in enumerate(TEXTS):
        name, tags = f"{number:03}", [{"type": "tag", "value": text}]
        db.session.add(ReplicationPolicy(name=name, namespace=text[:255], trigger="manual", filters=tags))


SHOWN: dict[str, Callable[[World], None]] = {
    "/projects/team/labels": _labels,
    "/admin/groups": _groups,
    "/admin/users": _people,
    "/admin/log?kind=label": _log,
    "/admin/registries": _registries,
    "/admin/replication": _policies,
    "/admin/scanners": _scanners,
}


@pytest.mark.parametrize("path", [*SHOWN])
def test_it_stays_text_in_lists(world: World, boss: Visitor, path: str) -> None:
    frame = [boss.page(path).tags.count(tag) for tag in _FRAME]
    with world.changes():
        SHOWN[path](world)
    seen_of = ""
    for number in range(1, len(TEXTS) // 50 + 2):
        seen = boss.page(f"{path}{'&' if '?' in path else '?'}page={number}")
        assert seen.foul == []
        assert not _NEVER & set(seen.tags)
        assert [seen.tags.count(tag) for tag in _FRAME] == frame
        seen_of += "".join(seen.words)
    assert [text for text in TEXTS if text not in seen_of] == []


FORMS = {
    "/projects/team/labels": ("name", "description"),
    "/projects/team/robots": ("name", "description"),
    "/projects/team/webhooks": ("name", "address"),
    "/projects/team/retention/rules": ("repositories", "tags"),
    "/projects/team/immutability": ("repositories", "tags"),
    "/projects/team/members": ("name",),
    "/admin/users": ("username", "realname"),
    "/admin/groups": ("name",),
    "/admin/robots": ("name", "projects"),
    "/admin/trust": ("name", "claims"),
    "/admin/registries": ("name", "url", "access_key", "ca_certificate"),
    "/admin/replication": ("name", "names", "tags", "namespace", "cron"),
    "/admin/scanners": ("name", "url", "description"),
    "/admin/scans": ("type", "cron"),
    "/register": ("username", "realname"),
}


@pytest.mark.parametrize("path", [*FORMS])
def test_it_stays_text_where_it_was_written(world: World, boss: Visitor, path: str) -> None:
    world.api("PUT", "/configurations", "admin", json={"self_registration": True})
    for text in TEXTS[:: 200 // 20]:
        answer = boss.post(path, dict.fromkeys(FORMS[path], text) | {"action": "none"})
        seen = see(boss.get(answer.headers["Location"]) if answer.status_code == 303 else answer)
        assert "h1" in seen.tags
        assert seen.foul == [], text
        assert not _NEVER & set(seen.tags), text


@pytest.mark.parametrize("path", ["/search", "/admin/users", "/projects", "/projects/team/labels"])
def test_it_stays_text_where_it_is_asked_for(boss: Visitor, path: str) -> None:
    for text in TEXTS[:: len(TEXTS) // 40]:
        answer = boss.client.get(path, query_string={"q": text, "search": text}, base_url="https://localhost:8443")
        seen = see(answer)
        assert seen.foul == [], text
        assert not _NEVER & set(seen.tags), text
