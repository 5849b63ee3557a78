"""A running installation read by its API as Harbor's, and made anew elsewhere; a registry that was there before us."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from authsvc.core.base import create_base
from authsvc.core.db import db, transaction
from authsvc.core.settings import Settings
from authsvc.registries import service as registries
from authsvc.registries.remote import Remote
from tests.declared.test_declared import DOCUMENT
from tests.support.rawclient import RawClient
from tests.support.registry import plain_registry
from tests.support.stack import Stack


def test_what_harbors_api_says_is_what_is_exported(stack: Stack, tmp_path: Path) -> None:
    """And can be applied; `web` is what tests of everything have."""
    text = DOCUMENT.replace("  self_registration: true\n", "")
    for old, new in (("web", "declared"), ("alice", "anna"), ("bob", "boris"), ("empty", "emptied")):
        text = re.sub(rf"\b{old}\b", new, text)
    stack.environ |= {"CHAT_HEADER": "Bearer of bad news"}
    _another_registry(stack)
    file = tmp_path / "tidegate.yml"
    file.write_text(text)
    stack.cli("apply", str(file))
    names = ("declared", "emptied")
    done = stack.cli("import-harbor", stack.url, *names, "--ca", str(stack.ca), stdin=f"{stack.admin[1]}\n")
    assert "webhook chat is without its auth_header" in done.stderr
    exported = yaml.safe_load(stack.cli("export", *names).stdout)["projects"]
    imported = yaml.safe_load(done.stdout)["projects"]
    assert [project["name"] for project in imported] == list(names)
    for ours, theirs in zip(exported, imported, strict=True):
        assert {**theirs, "members": sorted(map(str, theirs["members"]))} == {
            **ours,
            "members": sorted(map(str, ours["members"])),
        }
    whole = yaml.safe_load(stack.cli("import-harbor", stack.url, "--ca", str(stack.ca), stdin=f"{stack.admin[1]}\n").stdout)
    assert {"anna", "boris"} <= {user["username"] for user in whole["users"]}
    assert whole["configuration"]["robot_token_duration"] == 60
    assert [robot["name"] for robot in whole["robots"]] == ["mirror"]
    ours = yaml.safe_load(stack.cli("export").stdout)
    assert whole["replications"] == ours["replications"]
    (theirs,), (known,) = whole["registries"], ours["registries"]
    assert theirs["credential"].pop("access_secret") == {"env": "FAR_AWAY_SECRET"}
    assert theirs == known
    stack.cli("config", "set", "robot_token_duration=30")
    file.write_text("replications: []\nregistries: []\n")
    assert "- registry far away" in stack.cli("apply", str(file), "--prune").stderr


def _another_registry(stack: Stack) -> None:
    """Known without being asked, as this stack may ask nobody here."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in stack.environ.items():
            environment.setenv(name, value)
        app = create_base(Settings.from_env())
    with app.app_context():
        with transaction():
            remote = Remote("harbor", "https://127.0.0.1:9", key="robot$copies", secret="hidden")
            registries.create("test", "far away", "", "basic", remote)
        db.engine.dispose()
    end = {"id": stack.api("GET", "/registries").json()[0]["id"]}
    filters = [{"type": "name", "value": "declared/**"}]
    body = {"name": "copies", "dest_registry": end, "filters": filters, "trigger": {"type": "event_based"}, "enabled": True}
    assert stack.api("POST", "/replication/policies", json=body | {"speed": 7}).status_code == 201


def test_who_is_not_let_in_is_told(stack: Stack) -> None:
    for url, password, said in (
        (stack.url, "wrong", "does not take this name and password"),
        (f"{stack.url}/nowhere", stack.admin[1], "is not there"),
        ("https://localhost:1", "x", "does not answer"),
    ):
        done = stack.cli("import-harbor", url, "--ca", str(stack.ca), stdin=f"{password}\n", check=False)
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    done = stack.cli("import-harbor", stack.url, stdin="x\n", check=False)
    assert "does not answer" in done.stderr, "its authority is not known"


def test_a_registry_that_was_there_before_us(own_stack: Stack, tmp_path: Path) -> None:
    """Its storage becomes ours: what is there is pulled with its digest, and in the index."""
    storage = tmp_path / "storage"
    with plain_registry(tmp_path, storage={"filesystem": {"rootdirectory": str(storage)}}) as stock:
        digests = {name: stock.image(name, "v1", content=name) for name in ("old/app", "older.team/deep/er", "library/x")}
        stock.image("alone", "v1")
    own_stack.start(REGISTRY_STORAGE=str(storage))
    done = own_stack.cli("adopt")
    assert "alone: below no project" in done.stderr
    assert yaml.safe_load(done.stdout) == {"projects": [{"name": "old"}, {"name": "older.team"}]}
    own_stack.cli("apply", "-", stdin=done.stdout)
    report = json.loads(own_stack.cli("reconcile").stdout)
    assert (report["recorded"], report["damaged"], report["problems"]) == (2, [], [])
    client = RawClient(own_stack, own_stack.admin)
    for name, digest in digests.items():
        assert client.manifest(name, "v1").headers["Docker-Content-Digest"] == digest
        project, _, repository = name.partition("/")
        path = f"/projects/{project}/repositories/{repository.replace('/', '%252F')}/artifacts"
        assert [one["digest"] for one in own_stack.api("GET", path).json()] == [digest]
