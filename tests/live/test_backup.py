"""Backups of a running stack: made while pushes go on, tried beside it, and brought back on a new host."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.rawclient import RawClient
from tests.support.stack import Stack


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Stack]:
    """Another host."""
    running = Stack(tmp_path / "another")
    try:
        yield running
    finally:
        running.stop()


def test_it_comes_back_as_it_was(
    own_stack: Stack, another: Stack, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    identity, backups = tmp_path / "identity", tmp_path / "backups"
    own_stack.start(BACKUP_HOURS="0")
    recipient = re.search(r"age1\w+", own_stack.cli("backup", "key", str(identity)).stderr)
    assert recipient is not None
    own_stack.environ |= {"TIDEGATE_BACKUP_DIRECTORY": str(backups), "TIDEGATE_BACKUP_RECIPIENTS": recipient[0]}
    client = RawClient(own_stack, own_stack.admin)
    before = client.push("library/app", "v1", content="as it was")
    pushed = [client.push("library/meanwhile", "v0", content="0")]
    stop = threading.Event()

    def push() -> None:
        while not stop.is_set():
            pushed.append(client.push("library/meanwhile", f"v{len(pushed)}", content=f"{len(pushed)}"))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        name = own_stack.cli("backup", "create").stdout.strip()
    finally:
        stop.set()
        thread.join()
    begun = time.monotonic()
    said = own_stack.cli("backup", "verify", "--identity", str(identity)).stdout
    record_property("backup", f"verified in {time.monotonic() - begun:.1f} s")
    assert f"{name} works" in said, said
    assert not list((own_stack.state_dir / "run").glob("backup-*"))
    _what_is_missing_is_found(own_stack, backups, identity)
    own_stack.stop()
    shutil.rmtree(own_stack.state_dir)

    another.ports, another.admin = own_stack.ports, own_stack.admin
    another.environ = own_stack.environ | {"TIDEGATE_STATE_DIR": str(another.state_dir)}
    begun = time.monotonic()
    another.cli("restore", "--from", str(backups), "--identity", str(identity))
    another.start()
    record_property("backup", f"restored and up in {time.monotonic() - begun:.1f} s")
    client = RawClient(another, another.admin)
    assert client.manifest("library/app", "v1").headers["Docker-Content-Digest"] == before
    (artifact,) = another.api("GET", "/projects/library/repositories/app/artifacts").json()
    assert artifact["digest"] == before
    # What was pushed while it was made is there as a whole, or not at all; all that is listed can be pulled.
    client.push("library/app", "v2", content="as it is")
    another.cli("reconcile")
    assert json.loads(another.cli("damages", "-o", "json").stdout) == []
    path = "/projects/library/repositories/meanwhile/artifacts"
    assert another.api("GET", f"{path}/v0").json()["digest"] == pushed[0]
    for artifact in another.api("GET", f"{path}?page_size=100").json():
        for tag in artifact["tags"]:
            assert client.manifest("library/meanwhile", tag["name"]).headers["Docker-Content-Digest"] in pushed
    found = {one["name"]: one for one in json.loads(another.cli("doctor", "-o", "json", "outside", "tls", "keys").stdout)}
    assert not [one for one in found.values() if one["status"] == "error"]


def test_blobs_that_survived_are_not_lost(own_stack: Stack, another: Stack, tmp_path: Path) -> None:
    """With blobs on shared storage what was pushed after the backup is there as well."""
    blobs, backups = tmp_path / "blobs", tmp_path / "backups"
    given = {
        "REGISTRY_STORAGE": str(blobs),
        "BACKUP_DIRECTORY": str(backups),
        "BACKUP_RECIPIENTS": "plain",
        "BACKUP_BLOBS": "false",
    }
    own_stack.start(**given, BACKUP_HOURS="0")
    own_stack.cli("backup", "create")
    client = RawClient(own_stack, own_stack.admin)
    digest = client.push("library/later", "v1")
    own_stack.stop()
    shutil.rmtree(own_stack.state_dir)
    another.ports, another.admin = own_stack.ports, own_stack.admin
    another.environ = own_stack.environ | {"TIDEGATE_STATE_DIR": str(another.state_dir)}
    another.cli("restore")
    another.start(**given)
    another.cli("reconcile")
    client = RawClient(another, another.admin)
    assert client.manifest("library/later", "v1").headers["Docker-Content-Digest"] == digest
    (artifact,) = another.api("GET", "/projects/library/repositories/later/artifacts").json()
    assert artifact["digest"] == digest


def _what_is_missing_is_found(stack: Stack, backups: Path, identity: Path) -> None:
    largest = max((path for path in (backups / "blobs").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    aside = largest.rename(backups / "aside")
    done = stack.cli("backup", "verify", "--identity", str(identity), check=False)
    assert done.returncode != 0
    assert largest.name in done.stderr
    assert stack.is_well()
    aside.rename(largest)
