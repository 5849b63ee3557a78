"""Real clients that ask for images of another registry by the names that they have there: docker, containerd, podman's kind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import Engine, engine
from tests.support.images import Layout
from tests.support.registry import PlainRegistry, digest_of, plain_registry
from tests.support.stack import Stack

IMAGE = "docker.io/library/alone:v1"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("mirrors"))
    try:
        yield running.start(OUTGOING_ALLOW="127.0.0.1/32", MIRROR_HOSTS="127.0.0.1=hub", MIRROR_NAMESPACES="docker.io=hub")
    finally:
        running.stop()


@pytest.fixture(scope="module")
def digest(ours: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of an image that another registry has as `library/alone:v1`, and a public project here caches."""
    directory = tmp_path_factory.mktemp("upstream")
    layout = Layout(directory / "layout")
    made = layout.tag("v1", layout.image("hello from elsewhere"))
    with plain_registry(directory) as far:
        _copy(directory / "layout", far)
        body = {"name": "hub", "type": "docker-registry", "url": far.url}
        number = int(ours.api("POST", "/registries", json=body).headers["Location"].rpartition("/")[2])
        project = {"project_name": "hub", "registry_id": number, "metadata": {"public": "true"}}
        assert ours.api("POST", "/projects", json=project).status_code == 201
        yield made


def _copy(layout: Path, far: PlainRegistry) -> None:
    there = f"docker://{far.url.removeprefix('http://')}/library/alone:v1"
    policy = layout.parent / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    command = ["skopeo", "--policy", str(policy), "copy", "--dest-tls-verify=false", f"oci:{layout}:v1", there]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def docker(ours: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine whose mirror is another name of our host."""
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of our own needs root")
    with engine(tmp_path_factory.mktemp("engine"), "--registry-mirror", f"https://127.0.0.1:{ours.ports['https']}") as running:
        yield running


def test_docker_finds_it_at_its_mirror(ours: Stack, docker: Engine, digest: str) -> None:
    assert digest in docker.docker("pull", "alone:v1", check=False).stdout + docker.docker("pull", "library/alone:v1").stdout
    assert docker.docker("images", "--digests", "--format", "{{.Repository}}@{{.Digest}}").stdout.strip() == f"alone@{digest}"


@pytest.mark.parametrize("kind", ["a path", "a namespace"])
def test_containerd_finds_it(ours: Stack, docker: Engine, digest: str, tmp_path: Path, kind: str) -> None:
    """`server` is ours, too, so that nobody else is asked should this one fail."""
    image = IMAGE if kind == "a namespace" else IMAGE.replace("docker.io", "quay.io")
    own = tmp_path / image.partition("/")[0]
    own.mkdir()
    host = f"{ours.url}/v2/hub" if kind == "a path" else ours.url
    more = "override_path = true\n" if kind == "a path" else ""
    (own / "hosts.toml").write_text(
        f'server = "{ours.url}"\n[host."{host}"]\ncapabilities = ["pull", "resolve"]\nca = "{ours.ca}"\n{more}'
    )
    fetched = docker.ctr("content", "fetch", "--hosts-dir", str(tmp_path), image, check=False)
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    listed = docker.ctr("images", "list").stdout
    assert image in listed
    assert digest in listed
    docker.ctr("images", "remove", image)


def test_podmans_kind_finds_it_by_a_prefix(ours: Stack, digest: str, tmp_path: Path) -> None:
    configuration = tmp_path / ".config" / "containers"
    configuration.mkdir(parents=True)
    (configuration / "policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    (configuration / "registries.conf").write_text(f'[[registry]]\nprefix = "docker.io"\nlocation = "{ours.host}/hub"\n')
    certificates = tmp_path / "certs"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(ours.ca.read_bytes())
    environ = os.environ | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["skopeo", "copy", f"--src-cert-dir={certificates}", f"docker://{IMAGE}", f"dir:{tmp_path}/image"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert digest_of((tmp_path / "image" / "manifest.json").read_bytes()) == digest
