"""Beyond Harbor's conventions: ETag and If-Match, Idempotency-Key, RateLimit fields, details of errors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import Client

from authsvc.core import idempotency, slices
from authsvc.core.db import db, utcnow
from authsvc.core.idempotency import IdempotentRequest
from authsvc.core.settings import Settings
from authsvc.projects.models import Project
from authsvc.users.passwords import Chosen, choose
from authsvc.wsgi import Front
from tests.api.matrix import Matrix
from tests.api.operations import ADMIN, OPERATIONS
from tests.support.rounds import rounds
from tests.support.world import World, basic


def test_a_get_has_an_etag_and_answers_304(world: World) -> None:
    world.project("web", 1)
    first = world.api("GET", "/projects/web", "admin")
    etag = first.headers["ETag"]
    again = world.api("GET", "/projects/web", "admin", headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert world.api("PUT", "/projects/web", "admin", json={"metadata": {"public": "true"}}).status_code == 200
    changed = world.api("GET", "/projects/web", "admin", headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_a_change_with_if_match_needs_what_was_read(world: World) -> None:
    world.project("web", 1)
    body = {"metadata": {"public": "true"}}
    etag = world.api("GET", "/projects/web", "admin").headers["ETag"]
    assert world.api("PUT", "/projects/web", "admin", json=body, headers={"If-Match": '"other"'}).status_code == 412
    assert world.api("PUT", "/projects/web", "admin", json=body, headers={"If-Match": etag}).status_code == 200
    late = world.api("PUT", "/projects/web", "admin", json=body, headers={"If-Match": etag})
    assert late.status_code == 412
    assert late.get_json()["errors"][0]["code"] == "PRECONDITION"
    present = world.api("GET", "/projects/web", "admin").headers["ETag"]
    assert late.get_json()["errors"][0]["detail"] == {"etag": present.strip('"')}
    assert world.api("DELETE", "/projects/web", "admin", headers={"If-Match": etag}).status_code == 412
    assert world.api("DELETE", "/projects/web", "admin", headers={"If-Match": f"W/{present}"}).status_code == 200
    assert world.api("DELETE", "/projects/web", "admin", headers={"If-Match": "*"}).status_code == 404


def test_who_may_not_read_learns_nothing_from_if_match(world: World) -> None:
    world.user("alice")
    world.project("secret", 1)
    for name in ("secret", "missing"):
        refused = world.api("DELETE", f"/projects/{name}", "alice", headers={"If-Match": '"x"'})
        assert refused.status_code == 403


def test_of_many_changes_with_one_etag_one_happens(world: World) -> None:
    world.project("web", 1)
    etag = world.api("GET", "/projects/web", "admin").headers["ETag"]
    statuses: list[int] = []

    def change(number: int) -> None:
        response = Client(world.nginx).put(
            "/api/v2.0/projects/web",
            json={"metadata": {"proxy_speed_kb": str(number)}},
            headers=basic("admin") | {"If-Match": etag},
        )
        statuses.append(response.status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7


def test_a_change_in_between_is_seen(world: World) -> None:
    """Somebody who says nothing of an ETag is about to commit: a change with one waits for him, and then comes too late."""
    project_id = world.project("web", 1)
    etag = world.api("GET", "/projects/web", "admin").headers["ETag"]
    body, answers = {"metadata": {"public": "true"}}, []

    def change() -> None:
        headers = basic("admin") | {"If-Match": etag}
        answers.append(Client(world.nginx).put("/api/v2.0/projects/web", json=body, headers=headers))

    late = threading.Thread(target=change)
    with world.changes():
        db.session.execute(update(Project).where(Project.id == project_id).values(settings={"auto_scan": "true"}))
        late.start()
        late.join(timeout=0.5)
        assert answers == []
    late.join()
    assert [answer.status_code for answer in answers] == [412]
    assert world.api("GET", "/projects/web", "admin").get_json()["metadata"] == {"auto_scan": "true", "public": "false"}


def test_changes_with_etags_lose_nothing(world: World) -> None:
    """Four count up in one place, by two paths, each until its ETag was the present one."""
    world.project("web", 1)
    key, each = "proxy_speed_kb", 5
    paths = {
        f"/api/v2.0/projects/web/metadatas/{key}": lambda body: body,
        "/api/v2.0/projects/web": lambda body: body["metadata"],
    }
    assert world.api("PUT", "/projects/web", "admin", json={"metadata": {key: "0"}}).status_code == 200

    def count_up(path: str, found: Callable[[Any], Any]) -> None:
        client, done = Client(world.nginx), 0
        while done < each:
            before = client.get(path, headers=basic("admin"))
            new = {key: str(int(found(before.get_json())[key]) + 1)}
            body = new if path.endswith(key) else {"metadata": new}
            changed = client.put(path, json=body, headers=basic("admin") | {"If-Match": before.headers["ETag"]})
            assert changed.status_code in (200, 412), changed.text
            done += changed.status_code == 200

    threads = [threading.Thread(target=count_up, args=each_way) for each_way in [*paths.items()] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.api("GET", "/projects/web", "admin").get_json()["metadata"][key] == str(4 * each)


def test_whatever_can_be_read_and_changed_takes_if_match(matrix: Matrix) -> None:
    reads = {one.path: one for one in OPERATIONS if one.method == "GET"}
    changed = [one for one in OPERATIONS if one.method in ("PUT", "PATCH", "DELETE")]
    assert sum(one.path in reads for one in changed) >= 30
    for operation in changed:
        if operation.path in reads and "?" not in operation.path:
            etag = matrix.ask(reads[operation.path], ADMIN).headers["ETag"]
            right = matrix.ask(operation, ADMIN, headers={"If-Match": etag})
            assert right.status_code == operation.expected(ADMIN), (str(operation), right.text)
        wrong = matrix.ask(operation, ADMIN, headers={"If-Match": '"other"'})
        assert wrong.status_code == 412, (str(operation), wrong.text)


ROBOT = {
    "name": "ci",
    "level": "system",
    "duration": -1,
    "permissions": [{"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]}],
}


def test_the_same_key_and_request_are_carried_out_once(world: World) -> None:
    key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first = world.api("POST", "/robots", "admin", json=ROBOT, headers=key)
    again = world.api("POST", "/robots", "admin", json=ROBOT, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.get_json() == again.get_json()
    assert first.headers["Location"] == again.headers["Location"]
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert (first.headers["RateLimit-Policy"], first.headers["RateLimit"]) == (
        '"idempotency-keys";q=10000;w=86400',
        '"idempotency-keys";r=9999;t=86400',
    )
    assert len(world.api("GET", "/robots", "admin").get_json()) == 1
    other = world.api("POST", "/robots", "admin", json={**ROBOT, "name": "cd"}, headers=key)
    assert other.status_code == 422
    elsewhere = world.api("POST", "/usergroups", "admin", json=ROBOT, headers=key)
    assert elsewhere.status_code == 422
    with world.front.flask.app_context():  # the answer holds a secret
        assert first.get_json()["secret"] not in str(db.session.scalars(select(IdempotentRequest.body)).all())


def test_a_key_is_its_callers_own(world: World) -> None:
    world.user("alice")
    key = {"Idempotency-Key": '"one"'}
    assert world.api("POST", "/projects", "alice", json={"project_name": "web"}, headers=key).status_code == 201
    assert world.api("POST", "/projects", "admin", json={"project_name": "web"}, headers=key).status_code == 409
    assert world.api("POST", "/projects", None, json={"project_name": "web"}, headers=key).status_code == 401


def test_what_failed_is_tried_again(world: World) -> None:
    key = {"Idempotency-Key": "again"}
    body = {"role_id": 2, "member_user": {"username": "bob"}}
    world.project("web", 1)
    assert world.api("POST", "/projects/web/members", "admin", json=body, headers=key).status_code == 404
    world.user("bob")
    assert world.api("POST", "/projects/web/members", "admin", json=body, headers=key).status_code == 201
    assert world.api("POST", "/projects/web/members", "admin", json=body, headers=key).status_code == 201


def test_many_at_once_with_one_key_are_carried_out_once(world: World) -> None:
    answers: list[tuple[int, str | None]] = []

    def ask() -> None:
        response = Client(world.nginx).post(
            "/api/v2.0/projects", json={"project_name": "web"}, headers=basic("admin") | {"Idempotency-Key": "once"}
        )
        answers.append((response.status_code, response.headers.get("Location")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count((201, "/api/v2.0/projects/1")) >= 1
    assert {status for status, _ in answers} <= {201, 409}  # 409: the first one is still at it


def test_many_at_once_with_one_key_that_fail_are_told_why(world: World) -> None:
    world.project("web", 1)
    for again in range(rounds(3, 20)):
        key = {"Idempotency-Key": f"in-vain-{again}"}
        answers = world.crowd(*[("POST", "/projects", "admin", {"project_name": "web"})] * 12, headers=key)
        assert {answer.status_code for answer in answers} == {409}, [answer.text for answer in answers]


def test_who_waits_for_something_outside_holds_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash, a directory: the request that needs it begins anew with the result, and is still one."""
    waits, goes_on = threading.Event(), threading.Event()

    def slow(password: str, username: str) -> Chosen:
        waits.set()
        assert goes_on.wait(60)
        return choose(password, username)

    monkeypatch.setattr("authsvc.users.routes.choose", slow)
    body = {"username": "alice", "password": "a good long one", "email": "alice@example.com"}
    headers = basic("admin") | {"Idempotency-Key": "slowly"}
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(Client(world.nginx).post, "/api/v2.0/users", json=body, headers=headers) for _ in range(2))
        assert waits.wait(60)
        assert world.api("POST", "/projects", "admin", json={"project_name": "web"}).status_code == 201
        goes_on.set()
        answers = [first.result(), second.result()]
    carried_out = [answer for answer in answers if answer.status_code == 201 and "Idempotency-Replayed" not in answer.headers]
    assert len(carried_out) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}  # 409: while the first is between its end and its answer
    assert len(world.api("GET", "/users", "admin").get_json()) == 2
    assert world.api("GET", "/users/current", headers=basic("alice", "a good long one")).status_code == 200


def test_what_goes_wrong_outside_is_what_the_request_answers(world: World) -> None:
    body = {"username": "alice", "password": "password", "email": "alice@example.com"}
    refused = world.api("POST", "/users", "admin", json=body, headers={"Idempotency-Key": "weak"})
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (400, "BAD_REQUEST")
    better = world.api(
        "POST", "/users", "admin", json=body | {"password": "a good long one"}, headers={"Idempotency-Key": "weak"}
    )
    assert better.status_code == 201


def test_keys_are_forgotten_after_a_day(world: World) -> None:
    key = {"Idempotency-Key": "old"}
    assert world.api("POST", "/projects", "admin", json={"project_name": "web"}, headers=key).status_code == 201
    with world.changes():
        db.session.execute(update(IdempotentRequest).values(at=utcnow() - timedelta(hours=25)))
    assert world.api("POST", "/projects", "admin", json={"project_name": "web"}, headers=key).status_code == 409
    with world.changes():
        db.session.execute(update(IdempotentRequest).values(at=utcnow() - timedelta(hours=25)))
    with world.front.flask.app_context():
        slices.forget(IdempotentRequest, idempotency.is_old())
        assert db.session.scalars(select(IdempotentRequest)).all() == []


@pytest.mark.parametrize("key", ["", "x" * 256, "with\ttab", "zwölf"])
def test_a_key_that_is_none(world: World, key: str) -> None:
    response = world.api("POST", "/projects", "admin", json={"project_name": "web"}, headers={"Idempotency-Key": key})
    assert response.status_code == 400


def test_a_limit_says_when_there_is_room(make_settings: Callable[..., Settings]) -> None:
    world = World(Front(make_settings(login_attempts=2, login_window_seconds=300)))
    try:
        for guess in ("a", "b"):
            assert world.client.get("/api/v2.0/projects", headers=basic("alice", guess)).status_code == 401
        refused = world.client.get("/api/v2.0/projects", headers=basic("alice", "c"))
    finally:
        world.close()
    assert refused.status_code == 429
    assert refused.get_json()["errors"][0]["code"] == "TOO_MANY_REQUEST"
    wait = int(refused.headers["Retry-After"])
    assert 290 <= wait <= 301
    assert refused.headers["RateLimit-Policy"] == '"logins";q=2;w=300'
    assert refused.headers["RateLimit"] == f'"logins";r=0;t={wait}'
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("2", "0")


def test_errors_say_for_programs_which_field_is_wrong(world: World) -> None:
    response = world.api("POST", "/projects", "admin", json={"project_name": 7})
    error: dict[str, Any] = response.get_json()["errors"][0]
    assert (error["code"], list(error["detail"]["json"])) == ("UNPROCESSABLE_ENTITY", ["project_name"])
