"""Names of repositories with slashes in them on every route that has one, encoded once and twice, through nginx."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.rbac.roles import Role
from tests.api.operations import ARTIFACT, OPERATIONS, REPOSITORY
from tests.support.people import Team, make_team
from tests.support.stack import Stack

# In an order in which each finds what it needs: method, path, what it answers, what is sent.
CALLS: list[tuple[str, str, int, dict[str, Any]]] = [
    ("GET", REPOSITORY, 200, {}),
    ("PUT", REPOSITORY, 200, {"description": "x"}),
    ("GET", f"{REPOSITORY}/artifacts", 200, {}),
    ("GET", ARTIFACT, 200, {}),
    ("GET", f"{ARTIFACT}/additions/{{addition}}", 200, {}),
    ("GET", f"{ARTIFACT}/additions/vulnerabilities", 200, {}),
    ("POST", f"{ARTIFACT}/scan", 412, {}),  # by none
    ("POST", f"{ARTIFACT}/scan/stop", 202, {}),
    ("GET", f"{ARTIFACT}/scan/{{report_id}}/log", 404, {}),
    ("GET", f"{ARTIFACT}/accessories", 200, {}),
    ("POST", f"{ARTIFACT}/tags", 201, {"name": "v2"}),
    ("GET", f"{ARTIFACT}/tags", 200, {}),
    ("DELETE", f"{ARTIFACT}/tags/{{tag_name}}", 200, {}),
    ("POST", f"{ARTIFACT}/labels", 200, {"id": "{label_id}"}),
    ("DELETE", f"{ARTIFACT}/labels/{{label_id}}", 200, {}),
    ("POST", f"{REPOSITORY}/artifacts", 201, {}),
    ("DELETE", ARTIFACT, 200, {}),
    ("DELETE", REPOSITORY, 200, {}),
]


def test_every_route_with_a_repository_is_tried() -> None:
    tried = {f"{method} {path}" for method, path, _, _ in CALLS}
    assert tried == {str(operation) for operation in OPERATIONS if "{repository_name}" in operation.path}


@pytest.fixture
def team(stack: Stack) -> Team:
    return make_team(stack)


@pytest.mark.parametrize("slash", ["%2F", "%252F", "%2f", "%252f"])
def test_names_with_slashes_on_every_route(team: Team, slash: str) -> None:
    stack, project = team.stack, team.project
    for name in ("deep/er/app", "source"):
        team.client(Role.DEVELOPER).push(f"{project}/{name}", "v1", content=name)
    wanted = {"name": "l", "scope": "p", "project_id": stack.api("GET", f"/projects/{project}").json()["project_id"]}
    label = stack.api("POST", "/labels", json=wanted).headers["Location"].rpartition("/")[2]
    here = {"project_name": project, "repository_name": f"deep{slash}er{slash}app", "reference": "v1", "tag_name": "v2",
            "label_id": label, "addition": "build_history", "report_id": "none"}  # fmt: skip
    for method, path, status, body in CALLS:
        query = f"?from={project}/source:v1" if path.endswith("/artifacts") and method == "POST" else ""
        sent = {key: value.format(**here) for key, value in body.items()}
        answer = stack.api(method, path.format(**here) + query, json=sent or None)
        assert answer.status_code == status, (method, answer.request.path_url, answer.text)
