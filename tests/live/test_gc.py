"""Garbage is collected on a running stack, whoever dies in between."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from authsvc.distribution.directory import Directory
from tests.live.test_failpoints import died
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import eventually

IMAGES = 12


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    """A file with the points at which processes die."""
    file = tmp_path / "armed"
    file.write_text("")
    return file


@pytest.fixture
def deadly(own_stack: Stack, armed: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("AUTHSVC_FAILPOINT", "claimed:1,swept:1")
    monkeypatch.setenv("AUTHSVC_FAILPOINT_ARMED", str(armed))
    return own_stack.start(GC_GRACE_SECONDS="0")


def stored(stack: Stack) -> set[str]:
    return {one.digest for batch in Directory(stack.state_dir / "registry").all_blobs() for one in batch}


def test_a_collection_is_killed_and_goes_on(deadly: Stack, armed: Path) -> None:
    stack = deadly
    client = RawClient(stack, stack.admin)
    kept = {tag: client.push("library/kept", tag) for tag in ("a", "b")}
    stack.cli("gc")  # what the self-test has left
    before = stored(stack)
    for point in ("claimed", "swept"):
        for number in range(IMAGES):
            client.push("library/gone", f"t{number}", f"{point} {number}")
        there = len(stored(stack) - before)
        assert there == 3 * IMAGES
        assert stack.api("DELETE", "/projects/library/repositories/gone").status_code == 200
        assert len(stored(stack) - before) == there, "deleting frees no disk yet"
        armed.write_text(point)
        with ThreadPoolExecutor(1) as pool:
            collecting = pool.submit(stack.cli, "gc", "--timeout", "100")
            eventually(partial(died, stack, point))
            armed.write_text("")
            collecting.result()
        assert stored(stack) == before
        (run, *_) = stack.api("GET", "/system/gc").json()
        assert json.loads(run["job_parameters"])["purged_blobs"] == there, "told once, whoever deleted them"
    assert all(client.manifest("library/kept", tag).status_code == 200 for tag in kept)
