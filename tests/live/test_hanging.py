"""Processes that are there and do nothing: who asks them is told so, and those that can be ended are."""

from __future__ import annotations

from pathlib import Path

from authsvc.rbac.roles import Role
from tests.support.people import Team, make_team
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.stopping import stop, stopped
from tests.support.waiting import eventually


def test_what_hangs_is_ended_or_waited_for_in_vain(stack: Stack) -> None:
    team: Team = make_team(stack)
    client = RawClient(stack, team.auth(Role.MAINTAINER))
    client.push(f"{team.project}/app", "v1")
    token = client.token(f"repository:{team.project}/app:pull,push")
    (registry,) = stack.pids("registry")
    beating = {int(file.name) for file in (stack.state_dir / "run" / "pulse").iterdir()}
    (worker,) = stack.pids("worker")
    hanging = {worker, min(beating - {worker})}
    for pid in hanging:
        stop(pid)
    with stopped(registry):
        answers = [client.manifest(f"{team.project}/app", "v1", token=token) for _ in range(2)]
    assert {(answer.status_code, answer.json()["errors"][0]["code"]) for answer in answers} == {(503, "UNAVAILABLE")}
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in hanging) and stack.is_well())
    client.push(f"{team.project}/app", "v2")
    tags = f"/projects/{team.project}/repositories/app/artifacts/v2"
    assert stack.api("GET", tags).status_code == 200
