"""Real clients: docker with and without an engine, containerd, skopeo, podman, buildah."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.rbac.roles import Role
from tests.live.test_recording import artifact
from tests.support.engine import Engine, engine, run_docker
from tests.support.images import Layout
from tests.support.people import Team, make_team
from tests.support.stack import Stack
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def team(stack: Stack) -> Team:
    return make_team(stack)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An image on disk, and its digest."""
    path = tmp_path_factory.mktemp("layout")
    made = Layout(path)
    return path, made.tag("v1", made.image("hello from a test"))


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of our own needs root")
    with engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


class Tools:
    """skopeo, podman and buildah with credentials and storage of their own."""

    def __init__(self, directory: Path, stack: Stack) -> None:
        self.directory, self.stack = directory, stack
        self.certificates = directory / "certs"
        self.certificates.mkdir()
        (self.certificates / "ca.crt").write_bytes(stack.ca.read_bytes())
        storage = directory / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{directory}/graph"\nrunroot = "{directory}/run"\n')
        policy = directory / "policy.json"
        policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
        self.environ = os.environ | {
            "REGISTRY_AUTH_FILE": str(directory / "auth.json"),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "XDG_RUNTIME_DIR": str(directory),
            "HOME": str(directory),
            "BUILDAH_ISOLATION": "chroot",
        }
        configuration = directory / ".config" / "containers"
        configuration.mkdir(parents=True)
        (configuration / "policy.json").write_bytes(policy.read_bytes())
        (configuration / "registries.conf").write_text("unqualified-search-registries = []\n")

    def run(self, *command: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(command, env=self.environ, input=stdin, capture_output=True, text=True, timeout=180, check=False)
        assert not check or result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result

    def login(self, auth: tuple[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
        certificates = f"--cert-dir={self.certificates}"
        command = ("skopeo", "login", certificates, "--username", auth[0], "--password-stdin", self.stack.host)
        return self.run(*command, stdin=auth[1], check=check)


@pytest.fixture
def tools(tmp_path: Path, stack: Stack) -> Tools:
    return Tools(tmp_path, stack)


def test_docker_login_without_an_engine_stores_no_password(stack: Stack, team: Team, tmp_path: Path) -> None:
    name, password = team.auth(Role.DEVELOPER)
    done = run_docker(tmp_path, "login", stack.host, "-u", name, "--password-stdin", stdin=password, ca=stack.ca)
    assert "Login Succeeded" in done.stdout
    stored = json.loads((tmp_path / "config.json").read_text())["auths"][stack.host]
    assert stored["identitytoken"].startswith("tgr_")
    assert password not in (tmp_path / "config.json").read_text()
    wrong = run_docker(tmp_path, "login", stack.host, "-u", name, "--password-stdin", stdin="wrong", ca=stack.ca, check=False)
    assert wrong.returncode != 0
    assert "the user name or password is not right" in wrong.stderr
    listed = stack.cli("logins", "list", name, "-o", "json")
    assert [entry["name"] for entry in json.loads(listed.stdout)] == ["docker"]


def test_docker_engine_pushes_and_pulls(stack: Stack, team: Team, docker: Engine, layout: tuple[Path, str], tools: Tools) -> None:
    archive = tools.directory / "image.tar"
    image = f"{stack.host}/{team.project}/by-docker:v1"
    tools.run("skopeo", "copy", f"oci:{layout[0]}:v1", f"docker-archive:{archive}:{image}")
    docker.docker("load", "-i", str(archive))
    name, password = team.auth(Role.DEVELOPER)
    docker.docker("login", stack.host, "-u", name, "--password-stdin", stdin=password)
    docker.docker("push", image)
    second = f"{stack.host}/{team.project}/mounted:v1"
    docker.docker("tag", image, second)
    pushed = docker.docker("push", second)
    assert "Mounted from" in pushed.stdout
    docker.docker("rmi", image, second)
    docker.docker("pull", image)
    found = eventually(lambda: artifact(team, "v1", "by-docker"))
    assert found["manifest_media_type"] == "application/vnd.docker.distribution.manifest.v2+json"
    docker.docker("logout", stack.host)
    stranger = docker.docker("pull", image, check=False)
    assert stranger.returncode != 0
    assert "denied" in stranger.stderr or "unauthorized" in stranger.stderr
    name, password = team.auth(Role.GUEST)
    docker.docker("login", stack.host, "-u", name, "--password-stdin", stdin=password)
    docker.docker("pull", image)
    refused = docker.docker("push", image, check=False)
    assert refused.returncode != 0
    assert "denied" in refused.stderr or "unauthorized" in refused.stderr


def _hosts(stack: Stack, directory: Path) -> Path:
    """containerd's settings for our registry. Without any it speaks plain HTTP to whatever is called localhost; and when it is sent
    to HTTPS in the middle of an upload, it sometimes waits for ever for itself."""
    own = directory / stack.host
    own.mkdir(parents=True)
    (own / "hosts.toml").write_text(f'server = "{stack.url}"\n[host."{stack.url}"]\nca = "{stack.ca}"\n')
    return directory


def test_containerd_pushes_and_pulls(stack: Stack, team: Team, docker: Engine, layout: tuple[Path, str], tools: Tools) -> None:
    archive = tools.directory / "oci.tar"
    image = f"{stack.host}/{team.project}/by-containerd:v1"
    tools.run("skopeo", "copy", f"oci:{layout[0]}:v1", f"oci-archive:{archive}:{image}")
    docker.ctr("images", "import", "--no-unpack", "--all-platforms", "--index-name", image, str(archive))
    name, password = team.auth(Role.DEVELOPER)
    hosts = ("--hosts-dir", str(_hosts(stack, tools.directory / "hosts")))
    docker.ctr("images", "push", *hosts, "--user", f"{name}:{password}", image)
    docker.ctr("images", "remove", image)
    docker.ctr("content", "fetch", *hosts, "--user", f"{name}:{password}", image)
    refused = docker.ctr("content", "fetch", *hosts, image, check=False)
    assert refused.returncode != 0
    eventually(lambda: artifact(team, "v1", "by-containerd"))


def test_skopeo_copies_and_asks(stack: Stack, team: Team, layout: tuple[Path, str], tools: Tools) -> None:
    tools.login(team.auth(Role.DEVELOPER))
    image = f"docker://{stack.host}/{team.project}/by-skopeo:v1"
    tools.run("skopeo", "copy", f"--dest-cert-dir={tools.certificates}", f"oci:{layout[0]}:v1", image)
    raw = tools.run("skopeo", "inspect", "--raw", f"--cert-dir={tools.certificates}", image).stdout
    assert json.loads(raw)["layers"]
    back = tools.directory / "back"
    tools.run("skopeo", "copy", f"--src-cert-dir={tools.certificates}", image, f"oci:{back}:v1")
    (entry,) = json.loads((back / "index.json").read_text())["manifests"]
    assert entry["digest"] == layout[1]
    listed = tools.run("skopeo", "list-tags", f"--cert-dir={tools.certificates}", image.rpartition(":")[0]).stdout
    assert json.loads(listed)["Tags"] == ["v1"]
    refused = tools.run("skopeo", "delete", f"--cert-dir={tools.certificates}", image, check=False)
    assert refused.returncode != 0
    tools.login(team.auth(Role.MAINTAINER))
    tools.run("skopeo", "delete", f"--cert-dir={tools.certificates}", image)
    assert "invalid username/password" in tools.login((team.names[Role.GUEST], "wrong"), check=False).stderr


def test_a_multi_arch_image_with_all_its_children(stack: Stack, team: Team, tools: Tools) -> None:
    made = Layout(tools.directory / "multi")
    digest = made.tag("all", *(made.image(arch, arch) for arch in ("amd64", "arm64", "s390x")))
    tools.login(team.auth(Role.DEVELOPER))
    target = f"docker://{stack.host}/{team.project}/multi:all"
    tools.run("skopeo", "copy", "--all", f"--dest-cert-dir={tools.certificates}", f"oci:{made.path}:all", target)
    found = eventually(lambda: artifact(team, "all", "multi"))
    assert found["digest"] == digest
    assert [child["platform"]["architecture"] for child in found["references"]] == ["amd64", "arm64", "s390x"]
    assert all(child["child_id"] for child in found["references"])
    listed = stack.api("GET", f"/projects/{team.project}/repositories/multi/artifacts").json()
    assert [entry["digest"] for entry in listed] == [digest], "children are listed with the index, not beside it"
    sizes = [artifact(team, child["child_digest"], "multi")["size"] for child in found["references"]]
    assert found["size"] > sum(sizes)


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah(stack: Stack, team: Team, tools: Tools, layout: tuple[Path, str], program: str) -> None:
    name, password = team.auth(Role.DEVELOPER)
    certificates = f"--cert-dir={tools.certificates}"
    tools.run(program, "login", certificates, "-u", name, "--password-stdin", stack.host, stdin=password)
    image = f"{stack.host}/{team.project}/by-{program}:v1"
    tools.run(program, "pull", f"oci:{layout[0]}:v1")
    identifier = tools.run(program, "images", "--quiet").stdout.split()[0]
    tools.run(program, "push", certificates, identifier, f"docker://{image}")
    tools.run(program, "pull", certificates, image)
    eventually(lambda: artifact(team, "v1", f"by-{program}"))
    tools.run(program, "logout", stack.host)
    again = ("--policy=always",) if program == "buildah" else ()
    assert tools.run(program, "pull", *again, certificates, image, check=False).returncode != 0


def test_buildah_builds_from_scratch(stack: Stack, team: Team, tools: Tools) -> None:
    tools.login(team.auth(Role.DEVELOPER))
    container = tools.run("buildah", "from", "scratch").stdout.strip()
    (tools.directory / "file").write_text("content")
    tools.run("buildah", "copy", container, str(tools.directory / "file"), "/file")
    image = f"{stack.host}/{team.project}/built:v1"
    tools.run("buildah", "commit", container, image)
    tools.run("buildah", "push", f"--cert-dir={tools.certificates}", image)
    assert eventually(lambda: artifact(team, "v1", "built"))["type"] == "IMAGE"
