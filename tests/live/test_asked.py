"""What a running stack is asked: to stop in peace, to restart, to read its settings anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import requests

from tests.live.test_tree import members, session
from tests.support.rawclient import RawClient
from tests.support.registry import digest_of
from tests.support.stack import Stack
from tests.support.waiting import eventually

PART, PARTS = b"x" * 1000, 20


class Upload(threading.Thread):
    """A blob that comes slowly, in one request; `begun` when it is under way, and it ends when `may_end`."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="upload")
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.status = 0
        self._client = RawClient(stack, stack.admin)
        self._token = self._client.token("repository:library/slow:pull,push")

    def run(self) -> None:
        started = self._client.request("POST", "/v2/library/slow/blobs/uploads/", token=self._token)
        location = started.headers["Location"]
        digest = {"digest": digest_of(PART * PARTS)}
        headers = {"Content-Type": "application/octet-stream"}
        with suppress(requests.RequestException):  # cut off: no status
            answer = self._client.request("PUT", location, token=self._token, params=digest, data=self._parts(), headers=headers)
            self.status = answer.status_code

    def _parts(self) -> Iterator[bytes]:
        for number in range(PARTS):
            if number == 2:
                self.begun.set()
                self.may_end.wait(30)
            yield PART


def under_way(stack: Stack) -> Upload:
    """A slow blob, of which the first parts have arrived."""
    upload = Upload(stack)
    upload.start()
    assert upload.begun.wait(30)
    return upload


def test_what_is_under_way_arrives(own_stack: Stack) -> None:
    stack = own_stack.start(DRAIN_SECONDS="30")
    upload = under_way(stack)
    number = session(stack)
    down = threading.Thread(target=stack.cli, args=("down",))
    down.start()
    while accepts(stack):
        pass
    upload.may_end.set()
    upload.join(30)
    down.join(60)
    assert upload.status == 201
    assert members(number) == set()


def accepts(stack: Stack) -> bool:
    try:
        return requests.get(f"{stack.url}/api/v2.0/ping", verify=str(stack.ca), timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_who_asks_twice_does_not_wait(own_stack: Stack) -> None:
    stack = own_stack.start(DRAIN_SECONDS="600")
    upload = under_way(stack)
    number = session(stack)
    assert stack.process is not None
    stack.process.terminate()
    while accepts(stack):
        pass
    stack.process.terminate()
    assert stack.process.wait(60) == 0
    assert members(number) == set()
    upload.may_end.set()
    upload.join(30)
    assert upload.status == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tidegate.env"
    made.write_text("TIDEGATE_LOGIN_ATTEMPTS=50\n")
    return made


def attempts(stack: Stack, name: str) -> int:
    """How many wrong passwords are looked at until one is told to wait."""
    for number in range(20):
        if stack.token(auth=(name, f"wrong {number}")).status_code == 429:
            return number
    return 20


def test_settings_are_read_anew_and_nobody_is_cut_off(own_stack: Stack, file: Path) -> None:
    stack = own_stack.start(ENV_FILE=str(file), LOGIN_ATTEMPTS_PER_ADDRESS="1000")
    assert attempts(stack, "one") == 20
    over, cut_off = threading.Event(), list[str]()

    def ask() -> None:
        while not over.is_set():
            answers = stack.token(auth=stack.admin), stack.api("GET", "/projects")
            cut_off.extend(f"{one.status_code} {one.url}: {one.text}" for one in answers if one.status_code != 200)

    asking = threading.Thread(target=ask)
    asking.start()
    upload = under_way(stack)
    number, nginx = session(stack), stack.pids("nginx")[0]
    file.write_text("TIDEGATE_LOGIN_ATTEMPTS=3\n")
    stack.cli("reload")
    upload.may_end.set()
    upload.join(60)
    next(name for name in map(str, count()) if attempts(stack, f"two-{name}") == 3)  # once the last old process has gone
    over.set()
    asking.join(60)
    assert (upload.status, cut_off) == (201, [])
    assert (session(stack), stack.pids("nginx")[0]) == (number, nginx)
    eventually(stack.is_well)  # the worker is started again


UNUSABLE = {
    "TIDEGATE_LOGIN_ATEMPTS=3": "unknown setting: TIDEGATE_LOGIN_ATEMPTS",
    "TIDEGATE_TLS_KEY=/nowhere": "tls_certificate and tls_key go together",
}


def test_what_cannot_be_used_changes_nothing(own_stack: Stack, file: Path) -> None:
    stack = own_stack.start(ENV_FILE=str(file))
    number = session(stack)
    environ = dict(stack.environ)
    stack.environ = {name: value for name, value in environ.items() if name != "TIDEGATE_ENV_FILE"}  # for the command itself
    for line, said in UNUSABLE.items():
        file.write_text(line + "\n")
        for command in ("reload", "restart"):
            refused = stack.cli(command, check=False)
            assert refused.returncode != 0
            assert said in refused.stderr
    assert session(stack) == number
    assert stack.is_well()


def test_what_needs_a_restart_is_said_and_done_by_one(own_stack: Stack, file: Path) -> None:
    stack = own_stack.start(ENV_FILE=str(file))
    number = session(stack)
    file.write_text("TIDEGATE_API_WORKERS=1\n")
    refused = stack.cli("reload", check=False)
    assert "use `authsvc restart`" in refused.stderr
    assert session(stack) == number
    stack.cli("restart")
    assert session(stack) != number
    assert members(number) == set()
    assert len(stack.pids("api")) == 2
    assert stack.is_well()
