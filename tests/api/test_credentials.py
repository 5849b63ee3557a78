"""The matrix of operations by kind of credential: an administrator's token is good for what it is good for, and no more."""

from __future__ import annotations

import pytest

from authsvc.secrets.rules import ACTIONS
from tests.api import operations as ops
from tests.api.matrix import Matrix
from tests.api.operations import OPERATIONS, Kind, Operation
from tests.support.world import basic

pytestmark = pytest.mark.once

# By a login of one's own only: credentials, oneself, and who is let in.
OWN_LOGIN = {
    *(f"{method} /users/{{user_id}}/{what}" for what in ("sysadmin", "disabled", "password") for method in ("PUT",)),
    *(f"{method} /users/{{user_id}}/cli_secret" for method in ("PUT", "POST")),
    *(f"GET /users/{{user_id}}/{what}" for what in ("refresh-tokens", "sessions", "access-tokens")),
    *(f"DELETE /users/{{user_id}}/{what}/{{secret_id}}" for what in ("refresh-tokens", "sessions", "access-tokens")),
    "POST /users/{user_id}/access-tokens",
    *(f"{method} /ldap/directories/{{name}}" for method in ("PUT", "DELETE")),
    *(f"{method} /system/oidc/providers/{{name}}" for method in ("PUT", "DELETE")),
    "POST /system/trust-rules",
    "DELETE /system/trust-rules/{rule_id}",
}
# What gives others more than the permission that it needs: all that is given has to be held.
GIVES = {
    "POST /projects/{project_name_or_id}/members",
    "PUT /projects/{project_name_or_id}/members/{member_id}",
    "POST /projects/{project_name_or_id}/robots",
    "POST /robots",
    "PUT /robots/{robot_id}",
    "PATCH /robots/{robot_id}",
    "POST /robots/{robot_id}/secrets",
}


def token(matrix: Matrix, **limits: object) -> dict[str, str]:
    made = matrix.world.api("POST", "/users/1/access-tokens", "admin", json={"name": "x", "days": None} | limits)
    return basic("admin", made.get_json()["token"])


def ask(matrix: Matrix, operation: Operation, headers: dict[str, str]) -> int:
    matrix.headers["asked"] = headers
    return matrix.ask(operation, "asked").status_code


def test_a_token_without_limits_is_no_login(matrix: Matrix) -> None:
    headers = token(matrix)
    wrong = []
    for operation in OPERATIONS:
        expected = 403 if str(operation) in OWN_LOGIN else operation.expected(ops.ADMIN)
        if (status := ask(matrix, operation, headers)) != expected:
            wrong.append(f"{operation}: {status}, not {expected}")
    assert not wrong, "\n".join(wrong)
    assert {str(operation) for operation in OPERATIONS} >= OWN_LOGIN | GIVES


def test_what_docker_keeps_opens_no_operation(matrix: Matrix) -> None:
    login = matrix.world.token(who="admin", offline_token="true").get_json()
    for headers, refused in (
        (basic("admin", login["refresh_token"]), 403),
        (basic("", login["refresh_token"]), 403),
        ({"Authorization": f"Bearer {login['token']}"}, 401),
    ):
        statuses = {str(operation): ask(matrix, operation, headers) for operation in OPERATIONS}
        assert set(statuses.values()) == {refused}, statuses


@pytest.mark.parametrize("action", ACTIONS)
def test_a_limited_token_does_what_it_says(matrix: Matrix, action: str) -> None:
    """Of an administrator, who may do everything himself: the permission of a project that is among the action's, and what
    everybody may."""
    headers = token(matrix, actions=[action])
    wrong = []
    for operation in OPERATIONS:
        expected = operation.status if _allows(operation, action) else 403
        if (status := ask(matrix, operation, headers)) != expected:
            wrong.append(f"{operation}: {status}, not {expected}")
    assert not wrong, "\n".join(wrong)


def _allows(operation: Operation, action: str) -> bool:
    kind = operation.needs.kind
    if str(operation) in OWN_LOGIN | GIVES:
        return False  # to enable a robot gives as well; the one of the matrix is disabled by its line
    if kind is Kind.PROJECT:
        return operation.needs.permission in ACTIONS[action]
    return kind in (Kind.ANYONE, Kind.LOGIN)
