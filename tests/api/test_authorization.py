"""Who may do what through the API: the whole matrix of `operations`, and what must hold of every operation by itself."""

from __future__ import annotations

import re

import pytest

from authsvc.core.db import utcnow
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from tests.api import operations as ops
from tests.api.matrix import Matrix
from tests.api.objects import OBJECTS, placeholders
from tests.api.operations import OPERATIONS, Kind
from tests.support.world import World

_CONVERTER, _BRACES = re.compile(r"<(?:[^:>]+:)?([^>]+)>"), r"{\1}"


def served(world: World) -> set[str]:
    """Method and path of every rule of the URL map below the API, but for those that answer 501 (`test_operations`)."""
    return {
        f"{method} {_CONVERTER.sub(_BRACES, rule.rule).removeprefix('/api/v2.0')}"
        for rule in world.front.flask.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if rule.rule.startswith("/api/v2.0/")
        and not rule.endpoint.startswith("unserved.")
        and not (method == "HEAD" and "GET" in (rule.methods or set()))
    }


def test_every_operation_has_its_line_and_every_line_its_operation(world: World) -> None:
    in_table = {str(operation) for operation in OPERATIONS}
    assert served(world) - in_table == set(), "without a line in tests/api/operations.py"
    assert in_table - served(world) == set(), "in tests/api/operations.py, but not served"
    named = {name for operation in OPERATIONS for name in placeholders(operation.path)}
    assert {name for name in named if name not in OBJECTS and not any(key.endswith(f"{{{name}}}") for key in OBJECTS)} == set()


@pytest.fixture
def columns(request: pytest.FixtureRequest) -> list[str]:
    """Every caller; on the second and third database one who may do all and one who may not, since that is decided in memory."""
    return ops.COLUMNS if request.config.getoption("--database") == "sqlite" else [ops.ADMIN, "developer here"]


def test_each_caller_may_do_exactly_what_the_table_says(matrix: Matrix, columns: list[str]) -> None:
    wrong = []
    for operation in OPERATIONS:
        for column in columns:
            response = matrix.ask(operation, column)
            if response.status_code != operation.expected(column):
                said = response.get_data(as_text=True)[:160]
                wrong.append(f"{operation} as {column}: {response.status_code}, not {operation.expected(column)}: {said}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.once
def test_the_public_may_do_what_harbor_says(matrix: Matrix) -> None:
    public = matrix.world.api("PUT", "/projects/here", "admin", json={"metadata": {"public": "true"}})
    assert public.status_code == 200
    of_projects = [operation for operation in OPERATIONS if operation.needs.kind is Kind.PROJECT]
    for operation in of_projects:
        stranger, user = matrix.ask(operation, ops.ANONYMOUS), matrix.ask(operation, ops.USER)
        assert stranger.status_code == (operation.status if operation.is_public else 401), (str(operation), stranger.text)
        assert user.status_code == (operation.status if operation.is_public else 403), (str(operation), user.text)


@pytest.mark.once
def test_ids_of_one_project_do_not_work_through_another(matrix: Matrix) -> None:
    """T013 to T018: one placeholder at a time from elsewhere, all others from here."""
    tried = 0
    for operation in OPERATIONS:
        for name in placeholders(operation.path)[1:]:
            upto = operation.path[: operation.path.index(f"{{{name}}}") + len(name) + 2]
            path = matrix.here.fill(operation.path, {name: matrix.elsewhere.value(name, upto)})
            if path == matrix.here.fill(operation.path) or name == operation.makes:
                continue  # a name that both have, or may have
            for column in (ops.ADMIN, "projectAdmin here"):
                response = matrix.ask(operation, column, path=path)
                allowed = {404} if operation.allows(column) else {403, 404}
                assert response.status_code in allowed, (str(operation), name, column, response.text)
                tried += 1
    assert tried >= 40


def test_one_may_look_after_oneself(matrix: Matrix) -> None:
    own = matrix.world.api("GET", "/users/current", headers=matrix.headers[ops.USER]).get_json()["user_id"]
    for operation in OPERATIONS:
        if operation.needs.kind is ops.Kind.ONESELF and "{secret_id}" not in operation.path:
            response = matrix.ask(operation, ops.USER, path=operation.path.format(user_id=own))
            refused = operation.path.endswith("/password")  # it takes the old one
            assert (response.status_code in (401, 403)) == refused, (str(operation), response.text)


def test_lists_show_what_may_be_known(world: World) -> None:
    world.user("alice")
    for name in ("mine", "secret", "library"):
        world.project(name, 1, public=name == "library")
        with world.changes():
            repositories.ensure(f"{name}/app", utcnow())
    world.member("mine", "alice", Role.LIMITED_GUEST)
    seen = {None: ["library"], "alice": ["library", "mine"], "admin": ["library", "mine", "secret"]}
    for who, names in seen.items():
        assert [p["name"] for p in world.api("GET", "/projects?sort=name", who).get_json()] == names
        assert [r["name"] for r in world.api("GET", "/repositories?sort=name", who).get_json()] == [f"{n}/app" for n in names]


def test_the_last_administrator_stays(world: World) -> None:
    for method, path, body in (
        ("PUT", "/users/1/sysadmin", {"sysadmin_flag": False}),
        ("PUT", "/users/1/disabled", {"disabled": True}),
    ):
        assert world.api(method, path, "admin", json=body).status_code == 412
    world.user("second", sysadmin=True)
    assert world.api("PUT", "/users/1/sysadmin", "admin", json={"sysadmin_flag": False}).status_code == 200
