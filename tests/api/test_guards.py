"""What must hold of every operation by itself, generated from the table, the URL map and the models."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import select

from authsvc.authn.models import LoginFailure, LoginLock
from authsvc.core.db import Base, db
from authsvc.gate.models import Decision
from tests.api import operations as ops
from tests.api.matrix import Matrix
from tests.api.operations import OPERATIONS, Operation
from tests.support.world import PASSWORD, World, basic

# Harbor's CVE-2019-16097 and what else a server owns (T003).
OWNED = {
    "admin_role_in_auth": True,
    "creation_time": "2000-01-01T00:00:00.000Z",
    "creator_ref": 77,
    "deleted": True,
    "disabled": True,
    "epoch": 77,
    "has_admin_role": True,
    "id": 77,
    "owner_id": 77,
    "password_hash": "x",
    "project_id": 77,
    "role": 1,
    "salt": "x",
    "secret_hash": "x",
    "sysadmin": True,
    "sysadmin_flag": True,
    "user_id": 77,
}
# Where the schema names one of these, on purpose.
NAMED: dict[str, set[str]] = {
    "PUT /system/CVEAllowlist": {"project_id"},  # Harbor's clients send whole objects back
    "POST /projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/labels": {"id"},  # the label's
    "POST /labels": {"project_id"},  # where it is made, and where the right is asked for
    "PUT /labels/{label_id}": {"project_id"},
    "POST /projects/{project_name_or_id}/immutabletagrules": {"id", "disabled"},
    "PUT /projects/{project_name_or_id}/immutabletagrules/{immutable_rule_id}": {"id", "disabled"},
    "POST /projects/{project_name_or_id}/webhook/policies": {"id", "project_id"},
    "PUT /projects/{project_name_or_id}/webhook/policies/{webhook_policy_id}": {"id", "project_id"},  # another one is refused
    "PUT /retentions/{retention_id}": {"id"},
    "POST /scanners": {"disabled"},
    "PUT /scanners/{registration_id}": {"disabled"},
    "PUT /robots/{robot_id}": {"id"},  # another one is refused
    "PUT /users/{user_id}/sysadmin": {"sysadmin_flag"},
    "PUT /users/{user_id}/disabled": {"disabled"},
}
SECRET = re.compile(r"password|secret|salt|token|hash|digest_key|sealed|epoch")


# Rows that come and go with logins, and those in the order of ids that are drawn.
BESIDE = {LoginLock.__tablename__, LoginFailure.__tablename__, Decision.__tablename__}
_A_DAY = 24 * 3600  # seconds
# Their bodies refuse all else than can be set; that is tested where they are.
STRICT = (
    "/configurations", "/metadatas/", "/metadatas/{meta_name}", "/access-tokens", "/trust-rules", "/directories/{name}",
    "/providers/{name}", "/trace",
)  # fmt: skip


def _writes() -> Iterator[Operation]:
    for one in OPERATIONS:
        if isinstance(one.body, dict) and one.status < 300 and not one.path.endswith(STRICT):
            yield one


def _contents() -> list[tuple[str, list[Any]]]:
    """All rows of all tables."""
    return [
        (table.name, [_timeless(tuple(row)) for row in db.session.execute(select(table).order_by(*table.primary_key.columns))])
        for table in Base.metadata.sorted_tables
        if table.name not in BESIDE
    ]


def _timeless(value: Any) -> Any:
    """The same with no time in seconds, as events of webhooks have it: of three runs two may fall into one second."""
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_timeless(inner) for inner in value]
    return "now" if isinstance(value, int) and abs(value - time.time()) < _A_DAY else value


def _done(matrix: Matrix, operation: Operation, extra: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """All that is in the database after an operation."""
    at = matrix.here
    with matrix.world.undone():
        path = at.fill(operation.path) + (f"?{at.fill(operation.query)}" if operation.query else "")
        body = at.body(operation.body)
        response = matrix.world.api(operation.method, path, "admin", json=extra | body)
        assert response.status_code == operation.status, (str(operation), response.text)
        with matrix.world.front.flask.app_context():
            return _contents()


def _fields(document: dict[str, Any], operation: Operation) -> set[str]:
    """What the schema of a body lets a client set."""
    item = document["paths"][f"/api/v2.0{operation.path}"][operation.method.lower()]
    name = item["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    properties = document["components"]["schemas"][name]["properties"]
    return {field for field, about in properties.items() if not about.get("readOnly")}


@pytest.mark.once
def test_no_body_sets_what_its_schema_does_not_name(matrix: Matrix) -> None:
    """T003: the same request with and without each field that a server owns leaves the same rows. What differs between two
    runs without them (times, secrets, ids that were used up) is not looked at."""
    document = matrix.world.api("GET", "/openapi.json").get_json()
    for operation in _writes():
        named = _fields(document, operation) & OWNED.keys()
        assert named == NAMED.get(str(operation), set()), f"{operation} takes {named}: is it safe? Then say so in NAMED"
        first, again = _done(matrix, operation, {}), _done(matrix, operation, {})
        with_owned = _done(matrix, operation, {key: value for key, value in OWNED.items() if key not in named})
        for (table, before), (_, twin), (_, after) in zip(first, again, with_owned, strict=True):
            assert len(before) == len(after), (str(operation), table)
            columns = Base.metadata.tables[table].columns.keys()
            for one, two, three in zip(before, twin, after, strict=True):
                changed = {column: (a, c) for column, a, b, c in zip(columns, one, two, three, strict=True) if a == b != c}
                assert changed == {}, (str(operation), table)


@pytest.mark.once
def test_lists_cannot_be_asked_about_what_they_do_not_show(matrix: Matrix) -> None:
    """T024 (Harbor's CVE-2025-30086): `q` and `sort` on a column that is secret are refused, not answered with nothing."""
    columns = sorted({c.name for table in Base.metadata.sorted_tables for c in table.columns if SECRET.search(c.name)})
    assert {"password_hash", "secret_hash", "sealed"} <= set(columns)
    document = matrix.world.api("GET", "/openapi.json", "admin").get_json()  # and knows the password from here on
    lists = [
        one
        for one in OPERATIONS
        if one.method == "GET"
        and one.status == 200
        and one.path != "/search"  # where q is the text to look for
        and any(
            p.get("name") == "q" for p in document["paths"].get(f"/api/v2.0{one.path}", {}).get("get", {}).get("parameters", [])
        )
    ]
    assert len(lists) >= 15
    for operation in lists:
        path = matrix.here.fill(operation.path)
        query = dict(parse_qsl(matrix.here.fill(operation.query)))
        base = query.get("q", "")
        assert matrix.world.api("GET", path, "admin", query_string=query).status_code == 200
        for name in columns:
            for asked in ({"q": f"{base},{name}=~a".lstrip(",")}, {"sort": f"-{name}"}):
                response = matrix.world.api("GET", path, "admin", query_string=query | asked)
                assert response.status_code == 400, (str(operation), asked, response.text)
                assert f"there is no key {name.replace('_', '')} to ask by" in response.text


def _log_in(world: World) -> None:
    """The client keeps the cookie."""
    credentials = {"principal": "admin", "password": PASSWORD}
    response = world.client.post("/c/login", data=credentials, headers={"Sec-Fetch-Site": "same-origin"})
    assert response.status_code == 200, response.text


OTHER_SITES: tuple[dict[str, str], ...] = ({}, {"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"})


@pytest.mark.once
def test_a_session_changes_nothing_for_other_sites(matrix: Matrix) -> None:
    """T006: every operation that changes something, with a cookie and nothing that says that our own pages ask."""
    _log_in(matrix.world)
    for operation in OPERATIONS:
        if operation.method not in ("GET", "HEAD"):
            for from_where in OTHER_SITES:
                response = matrix.ask(operation, ops.ANONYMOUS, headers=from_where)
                assert response.status_code == 403, (str(operation), from_where, response.text)
            ours = matrix.ask(operation, ops.ANONYMOUS, headers={"Sec-Fetch-Site": "same-origin"})
            assert ours.status_code == operation.expected(ops.ADMIN), (str(operation), ours.text)


@pytest.mark.once
def test_a_cookie_is_never_what_wrong_credentials_fall_back_to(matrix: Matrix) -> None:
    _log_in(matrix.world)
    wrong = basic("robot$nobody", "wrong") | {"Sec-Fetch-Site": "same-origin"}
    for operation in OPERATIONS:
        response = matrix.ask(operation, ops.ANONYMOUS, headers=wrong)
        assert response.status_code == 401, str(operation)


@pytest.mark.once
def test_no_answer_to_basic_credentials_sets_a_cookie(matrix: Matrix) -> None:
    for operation in OPERATIONS:
        assert "Set-Cookie" not in matrix.ask(operation, ops.ADMIN).headers, str(operation)


@pytest.mark.once
def test_strangers_cannot_tell_what_is_missing_from_what_is_not_theirs(matrix: Matrix) -> None:
    """T009: the same status, code and headers for a project that exists and for one that does not."""
    for operation in OPERATIONS:
        if operation.needs.kind is not ops.Kind.PROJECT or "{project_name" not in operation.path:
            continue
        name = "project_name_or_id" if "{project_name_or_id}" in operation.path else "project_name"
        for column in (ops.ANONYMOUS, ops.USER):
            existing = matrix.ask(operation, column)
            missing = matrix.ask(operation, column, path=matrix.here.fill(operation.path, {name: "hither"}))
            assert (existing.status_code, existing.data) == (missing.status_code, missing.data), str(operation)
            assert set(existing.headers.keys()) == set(missing.headers.keys()), str(operation)
