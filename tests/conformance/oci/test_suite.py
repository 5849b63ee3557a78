"""The gateway against the OCI distribution specification, held against the bare registry behind it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.oci import suite
from tests.conformance.oci.suite import Result
from tests.support import registry3
from tests.support.gotools import NoGo
from tests.support.registry import plain_registry
from tests.support.rounds import THOROUGH
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(1800)  # the suite and a registry are built before they first run

# What the gateway cannot give, as long as the registry behind it does not have it: digests of SHA-512 (it stores everything by
# SHA-256), chunks that are refused when they come out of order, ranges that are refused when they are none.
OUT_OF_REACH = (
    "sha512",
    "sha256 blobs/chunked out-of-order",
    "sha256 blobs/range requests/range ",
)
# What registry 2.8 does not have at all, and the specification wants.
ON_TOP = ("referrers", "tag-delete", "tag-list", "manifest-put", "manifest-get")


@dataclass(frozen=True)
class Both:
    bare: Result
    gateway: Result
    stack: Stack


@pytest.fixture(scope="module", params=["2.8", *(["v3.1.1"] if THOROUGH else [])])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The results of the bare registry, and of the whole stack on the same one."""
    directory = tmp_path_factory.mktemp("conformance")
    try:
        program = _program(request.param)
        with plain_registry(directory, program=program) as registry:
            bare = suite.run(registry.url.removeprefix("http://"), directory / "bare")
    except NoGo as missing:
        pytest.skip(str(missing))
    stack = Stack(directory / "state")
    try:
        stack.start(REGISTRY_PROGRAM=program)
        assert stack.api("POST", "/projects", json={"project_name": "conformance"}).status_code == 201
        assert stack.api("PUT", "/configurations", json={"foreign_layer_hosts": "store.example.com"}).status_code == 200
        yield Both(bare, suite.run(stack.host, directory / "gateway", user=stack.admin, ca=stack.ca), stack)
    finally:
        stack.stop()


def _program(version: str) -> str:
    found = shutil.which("docker-registry") if version == "2.8" else str(registry3.program(version))
    assert found, "docker-registry is not installed; on Debian: apt-get install docker-registry"
    return found


def test_nothing_is_lost(both: Both) -> None:
    assert both.bare.lost(both.gateway) == set(), both.gateway.summary
    assert both.bare.passed.total() > 500, "it ran"


def test_what_the_registry_lacks_is_there(both: Both) -> None:
    failed = {name for name in both.gateway.failed if not name.startswith(OUT_OF_REACH)}
    assert failed == set(), both.gateway.summary
    for part in ON_TOP:
        assert any(part in name for name in both.gateway.passed), part


def test_report(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nbare registry: {both.bare.summary}; gateway: {both.gateway.summary}")
    assert both.gateway.passed.total() > both.bare.passed.total()


def test_index_and_registry_agree_afterwards(both: Both) -> None:
    report = json.loads(both.stack.cli("reconcile").stdout)
    assert (report["recorded"], report["forgotten"], report["problems"]) == (0, 0, [])
