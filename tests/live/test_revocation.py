"""With several processes: what was taken away is gone from every one of them before its next answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from authsvc.rbac.roles import Role
from tests.support.people import make_team
from tests.support.rounds import rounds
from tests.support.stack import Stack
from tests.support.world import granted_by

ROUNDS, QUESTIONS = rounds(5, 20), rounds(50, 100)


def test_no_stale_answer_from_four_processes(own_stack: Stack) -> None:
    stack = own_stack.start(TOKEN_WORKERS="4")
    team = make_team(stack)
    scope = f"repository:{team.project}/app:pull,push"
    url = f"http://127.0.0.1:{stack.ports['token']}/service/token"
    auth = team.auth(Role.DEVELOPER)

    def ask(_: int) -> list[str]:
        # A connection each, so that the questions spread over the processes.
        answer = requests.get(url, params={"scope": scope}, auth=auth, headers={"Connection": "close"}, timeout=10)
        assert answer.status_code == 200, answer.text
        return granted_by(answer.json()["token"])[f"{team.project}/app"]

    listed = stack.api("GET", f"/projects/{team.project}/members").json()
    member = next(entry["id"] for entry in listed if entry["entity_name"] == auth[0])
    path = f"/projects/{team.project}/members/{member}"
    with ThreadPoolExecutor(4) as pool:
        for _ in range(ROUNDS):
            assert stack.api("PUT", path, json={"role_id": int(Role.DEVELOPER)}).status_code == 200
            assert all(actions == ["pull", "push"] for actions in pool.map(ask, range(QUESTIONS)))
            assert stack.api("PUT", path, json={"role_id": int(Role.GUEST)}).status_code == 200
            assert all(actions == ["pull"] for actions in pool.map(ask, range(QUESTIONS)))
        assert stack.api("PUT", f"/users/{team.user_id(Role.DEVELOPER)}/disabled", json={"disabled": True}).status_code == 200
        refused = pool.map(
            lambda _: requests.get(url, auth=auth, headers={"Connection": "close"}, timeout=10).status_code, range(QUESTIONS)
        )
        assert set(refused) == {403}
