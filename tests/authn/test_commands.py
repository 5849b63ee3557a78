"""The command line of identity, over the same services."""

from __future__ import annotations

import json

from click.testing import CliRunner

from authsvc.authn import lockout
from authsvc.cli import cli
from authsvc.core.db import db
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from tests.support.console import Run
from tests.support.world import PASSWORD, World, basic


def test_robots(world: World, run: Run) -> None:
    world.project("web", 1)
    made = run("robots", "create", "web", "ci", "--action", "push")
    secret = made.stdout.strip()
    assert world.client.get("/service/token?service=harbor-registry", headers=basic("robot-web+ci", secret)).status_code == 200
    (listed,) = json.loads(run("robots", "list", "--project", "web", "-o", "json").stdout)
    assert listed["name"] == "robot$web+ci"
    assert secret not in str(listed)
    assert run("robots", "disable", "robot$web+ci").exit_code == 0
    assert world.client.get("/service/token?service=harbor-registry", headers=basic("robot-web+ci", secret)).status_code == 403
    assert run("robots", "disable", "robot$web+ci").exit_code == 1
    assert run("robots", "disable", "robot$web+ci", "--off").exit_code == 0
    new = run("robots", "refresh", "robot-web+ci").stdout.strip()
    assert world.client.get("/service/token?service=harbor-registry", headers=basic("robot-web+ci", new)).status_code == 200
    assert run("robots", "delete", "robot$web+ci").exit_code == 0
    assert run("robots", "delete", "robot$web+ci").exit_code == 1


def test_configuration(world: World, run: Run) -> None:
    assert run("config", "set", "self_registration=true", "robot_token_duration=7").exit_code == 0
    values = {row["name"]: row["value"] for row in json.loads(run("config", "list", "-o", "json").stdout)}
    assert (values["self_registration"], values["robot_token_duration"], values["auth_mode"]) == (True, 7, "db_auth")
    for bad in ("selfregistration=true", "robot_token_duration=soon", "robot_token_duration=0"):
        assert run("config", "set", bad).exit_code == 1


def test_lockouts(world: World, run: Run) -> None:
    for number in range(10):
        world.client.get("/service/token", headers=basic("admin", f"wrong {number}"))
    assert world.token(who="admin").status_code == 429
    (row,) = json.loads(run("lockouts", "list", "-o", "json").stdout)
    assert (row["account"], row["failures"]) == ("admin", 10)
    assert run("lockouts", "clear", "admin").exit_code == 0
    assert world.token(who="admin").status_code == 200
    with world.changes():
        assert list(db.session.execute(lockout.failures())) == []


def test_a_password_that_was_reset_on_the_host_is_temporary(world: World, run: Run) -> None:
    password = run("users", "reset-password", "admin").stdout.strip()
    assert world.token(who="admin").status_code == 401
    refused = world.client.get("/service/token?service=harbor-registry", headers=basic("admin", password))
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (403, "PASSWORD_CHANGE_REQUIRED")
    with world.changes():
        assert users.get(1).password_temporary
    assert run("users", "reset-password", "admin", "--password-stdin", stdin=f"{PASSWORD}\n").exit_code == 0
    with world.changes():
        assert not users.get(1).password_temporary


def test_commands_without_a_database_say_so(world: World) -> None:
    elsewhere = {"TIDEGATE_STATE_DIR": "/nonexistent", "TIDEGATE_DATABASE_URL": None}
    refused = CliRunner(env=elsewhere).invoke(cli, ["users", "list"])
    assert refused.exit_code == 1
    assert "there is no database /nonexistent/tidegate.db: `authsvc prepare` makes one" in refused.stderr


def test_explain_says_what_decides(world: World, run: Run) -> None:
    world.project("web", 1)
    alice = world.user("alice")
    world.member("web", "alice", Role.DEVELOPER)
    world.user("bob")
    body = {"name": "ci", "projects": ["web"], "actions": ["pull"], "networks": ["10.0.0.0/8"]}
    token = world.api("POST", f"/users/{alice}/access-tokens", "alice", json=body).get_json()["token"]
    robot = run("robots", "create", "web", "ci", "--action", "pull").stdout.strip()

    def said(*arguments: str, stdin: str = "") -> tuple[int, list[str]]:
        result = run("explain", *arguments, stdin=stdin)
        return result.exit_code, result.stdout.splitlines() or [result.output]

    assert said("alice", "push", "web/api") == (
        0,
        ["allowed: alice is developer in web, and that role has repository:push", "  role: developer by own membership"],
    )
    assert said("alice", "push", "web/api", "--secret-stdin", stdin=token) == (
        12,
        [
            "denied: this credential is limited to other things than repository:push in web, whatever alice may",
            "  the secret is good from 10.0.0.0/8 only",
            "  role: developer by own membership",
            "  without the secret's limits: allowed, alice is developer in web, and that role has repository:push",
        ],
    )
    assert said("alice", "pull", "web/api", "--secret-stdin", stdin=token)[0] == 0
    assert said("bob", "pull", "web/api", "--secret-stdin", stdin=token)[0] not in (0, 12), "it is not bob's"
    assert said("alice", "pull", "web/api", "--secret-stdin", stdin=PASSWORD)[0] not in (0, 12)
    assert said("robot$web+ci", "pull", "web/api", "--secret-stdin", stdin=robot)[0] == 0
    assert said("robot$web+ci", "push", "web/api") == (
        12,
        ["denied: robot$web+ci was not given repository:push in web, which whoever manages it can do"],
    )
    for number in range(10):
        for address in ("192.0.2.1", "192.0.2.2"):  # the same password from two places is one
            world.client.get("/service/token", headers=basic("bob", f"wrong {number}") | {"X-Real-IP": address})
    status, lines = said("bob", "pull", "web/api")
    assert (status, lines[1]) == (
        12,
        "  10 wrong passwords are counted: strangers' addresses are locked out (authsvc lockouts clear bob)",
    )
    assert said("nobody-at-all", "pull", "web/api")[0] not in (0, 12)
