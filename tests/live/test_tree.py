"""Whichever process of a stack is killed: it is well again by itself, or starts again, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import eventually

PROGRAMS = ("nginx", "token", "api", "webhook", "worker", "registry")


def session(stack: Stack) -> int:
    return int((stack.state_dir / "run" / "session").read_text().split()[0])


def members(number: int) -> set[int]:
    """The processes of a session that are alive."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[3]) == number:
            found.add(int(path.parent.name))
    return found


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def are_free(stack: Stack) -> bool:
    """Nobody listens on any of its ports."""
    for port in stack.ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for many deaths; nobody has started it yet."""
    made = Stack(tmp_path_factory.mktemp("tree"))
    yield made
    made.stop()


@pytest.fixture
def standing(kept: Stack) -> Stack:
    """The same, running."""
    if kept.process is None or kept.process.poll() is not None:
        kept.start()
    return kept


def test_the_supervisor_is_started_again(standing: Stack) -> None:
    stack = standing
    old = session(stack)
    kill(old)
    eventually(lambda: session(stack) != old and stack.is_well())
    assert members(old) == set()
    assert stack.process is not None
    assert stack.process.poll() is None


@pytest.mark.parametrize("also", [(), ("nginx",), ("nginx", "token", "api")])
def test_after_a_killed_up_the_next_one_starts(standing: Stack, also: tuple[str, ...]) -> None:
    """Also when supervisord and masters were killed in the same moment, and their workers hold the ports."""
    stack = standing
    old = session(stack)
    assert stack.process is not None
    masters = [stack.pids(program)[0] for program in also]
    kill(stack.process.pid, *([old] if also else []), *masters)
    stack.process.wait()
    stack.process.stdout.close()  # type: ignore[union-attr] # there is one
    stack.start()
    assert members(old) == set()
    assert stack.is_well()


def test_a_second_one_is_told_and_changes_nothing(standing: Stack) -> None:
    stack = standing
    config = {path: path.read_bytes() for path in (stack.state_dir / "config").iterdir()}
    for command in ("up", "prepare"):
        refused = stack.cli(command, check=False)
        assert refused.returncode == 6
        assert f"is running on {stack.state_dir} already (process {stack.process.pid})" in refused.stderr  # type: ignore[union-attr]
    assert {path: path.read_bytes() for path in config} == config
    shown = stack.cli("status")
    assert f"process {stack.process.pid}" in shown.stdout  # type: ignore[union-attr]
    assert "unhealthy" not in shown.stdout
    assert all(not part.get("warning") for part in stack.api("GET", "/health").json()["components"])


def test_masters_leave_no_workers_behind(standing: Stack) -> None:
    stack = standing
    before = len(members(session(stack)))
    for program in PROGRAMS:
        kill(stack.pids(program)[0])
        eventually(lambda: stack.is_well() and len(members(session(stack))) == before)
    RawClient(stack, stack.admin).push("library/app", "v1")
    number = session(stack)
    assert stack.cli("down").returncode == 0
    assert members(number) == set()
    assert are_free(stack)
    assert "not running here" in stack.cli("down").stdout


def test_a_locked_out_host_starts(own_stack: Stack) -> None:
    """Whoever guesses passwords from here locks this host's logins, not its start; and a self-test that fails stops nothing."""
    stack = own_stack.start(LOGIN_ATTEMPTS_PER_ADDRESS="3")
    guesses = [stack.token(auth=("admin", f"wrong {number}")).status_code for number in range(5)]
    assert guesses[-1] == 429
    stack.stop()
    stack.start(LOGIN_ATTEMPTS_PER_ADDRESS="3")
    assert requests.get(f"{stack.url}/api/v2.0/health", verify=str(stack.ca), timeout=30).json()["status"] == "healthy"
