"""What a new installation lacks: each step is told by what there is, and the front of the list says so until something is pushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authsvc.audit.models import AuditLog
from authsvc.core.db import db, utcnow
from authsvc.jobs.models import SUCCESS, Execution
from authsvc.system.first_steps import first_steps
from authsvc.users import service as users
from authsvc.users.passwords import choose
from tests.support.registry import PlainRegistry
from tests.support.shelf import Shelf
from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/admin/first-steps"
DIRECTORY = {"auth_mode": "ldap_auth", "ldap_url": "ldap://10.0.0.1", "ldap_base_dn": "dc=example"}


def done(world: World) -> set[str]:
    with world.front.flask.app_context():
        found = first_steps(world.front.settings)
        db.session.rollback()
    return {name for name, is_done in found.items() if is_done}


def add(world: World, row: Any) -> None:
    with world.changes():
        db.session.add(row)


def login_from(address: str) -> AuditLog:
    return AuditLog(username="a", operation="login", resource_type="user", resource="a", address=address, op_time=utcnow())


def backup_made() -> Execution:
    return Execution(vendor_type="BACKUP", vendor_id=0, status=SUCCESS, trigger="SCHEDULE", start_time=utcnow())


STEPS: dict[str, Callable[[World], object]] = {
    "address": lambda world: add(world, login_from("10.1.2.3")),
    "project": lambda world: world.project("web", 1),
    "people": lambda world: world.api("PUT", "/configurations", "admin", json=DIRECTORY),
    "backup": lambda world: add(world, backup_made()),
}


@pytest.mark.parametrize("step", [*STEPS])
def test_each_is_done_by_what_there_is(world: World, step: str) -> None:
    add(world, login_from("127.0.0.1"))
    world.project("library", 1)
    before = done(world)
    assert step not in before
    STEPS[step](world)
    assert done(world) == before | {step}


def test_a_password_that_somebody_else_knows_is_none(world: World) -> None:
    assert "password" in done(world)
    with world.changes():
        users.create("test", username="boss", password=choose("Made for the boss 1"), email=None, sysadmin=True, temporary=True)
    assert "password" not in done(world)


def test_the_first_push_is_waited_for_and_received(world: World, registry: PlainRegistry) -> None:
    shelf = Shelf(world, registry)
    boss = Visitor(world)
    boss.sign_in("admin")
    shown = boss.get(THERE)
    assert "Waiting for the first push" in see(shown).text
    assert 'data-live="3"' in shown.text
    assert f"docker push localhost:8443/{shelf.project}/IMAGE:TAG" in see(shown).text
    assert THERE in boss.page("/projects").links
    shelf.image("app", "v1")
    shown = boss.get(THERE)
    assert "Waiting for the first push" not in see(shown).text
    assert "data-live" not in shown.text
    assert "push" in done(world)
    assert THERE not in boss.page("/projects").links


def test_it_is_for_system_administrators(world: World) -> None:
    world.user("alice")
    visitor = Visitor(world)
    visitor.sign_in("alice")
    assert visitor.get(THERE).status_code == 403
    assert THERE not in visitor.page("/projects").links
    assert Visitor(world).get(THERE).status_code == 302
