"""crane, regctl, oras, cosign and helm: content discovery, single tags, referrers and signatures, with the real programs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from authsvc.rbac.roles import Role
from tests.support import clients
from tests.support.images import Layout
from tests.support.people import Team, make_team
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(1800)  # they are built before they first run


class Desk:
    """A maintainer's command line, with a home, credentials and trust of its own."""

    def __init__(self, team: Team, home: Path) -> None:
        self.team, self.home = team, home
        self.repository = f"{team.stack.host}/{team.project}/app"
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("TIDEGATE_", "DOCKER_", "COSIGN_"))
        }
        self.environ |= {
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "SSL_CERT_FILE": str(team.stack.ca),
            "COSIGN_PASSWORD": "",
        }
        (home / ".docker").mkdir()

    def run(self, name: str, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        try:
            command = [clients.program(name), *arguments]
        except clients.Missing as missing:
            pytest.skip(str(missing))
        result = subprocess.run(
            command, env=self.environ, input=stdin, capture_output=True, text=True, timeout=120, cwd=self.home, check=False
        )
        assert not check or result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result

    def login(self, name: str, *command: str, host: str = "") -> None:
        user, password = self.team.auth(Role.MAINTAINER)
        self.run(name, *command, "-u", user, "--password-stdin", host or self.team.stack.host, stdin=password)

    def api(self, path: str) -> Any:
        answer = self.team.stack.api("GET", f"/projects/{self.team.project}/repositories/app/artifacts{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def image(self, content: str) -> tuple[Path, str]:
        """An image on disk, and its digest."""
        layout = Layout(self.home / f"layout-{content}")
        return layout.path, layout.tag("v1", layout.image(content))


@pytest.fixture
def desk(stack: Stack, tmp_path: Path) -> Desk:
    return Desk(make_team(stack), tmp_path)


def test_crane(desk: Desk) -> None:
    desk.login("crane", "auth", "login")
    layout, digest = desk.image("crane")
    desk.run("crane", "push", str(layout), f"{desk.repository}:v1")
    desk.run("crane", "tag", f"{desk.repository}:v1", "v2")
    assert desk.run("crane", "ls", desk.repository).stdout.split() == ["v1", "v2"]
    assert desk.run("crane", "digest", f"{desk.repository}:v2").stdout.strip() == digest
    seen = desk.run("crane", "catalog", desk.team.stack.host).stdout.split()
    assert [name for name in seen if not name.startswith("library/")] == [f"{desk.team.project}/app"], "and what is public"
    desk.run("crane", "delete", f"{desk.repository}:v1")
    assert desk.run("crane", "ls", desk.repository).stdout.split() == ["v2"]
    desk.run("crane", "pull", f"{desk.repository}:v2", "image.tar")
    desk.run("crane", "copy", f"{desk.repository}:v2", f"{desk.team.stack.host}/{desk.team.project}/other:v1")
    desk.run("crane", "delete", f"{desk.repository}@{digest}")
    assert desk.run("crane", "ls", desk.repository).stdout.split() == []


def test_regctl(desk: Desk) -> None:
    user, password = desk.team.auth(Role.MAINTAINER)
    desk.run("regctl", "registry", "login", desk.team.stack.host, "-u", user, "--pass-stdin", stdin=password)
    layout, digest = desk.image("regctl")
    desk.run("regctl", "image", "copy", f"ocidir://{layout}:v1", f"{desk.repository}:v1")
    desk.run("regctl", "image", "copy", f"{desk.repository}:v1", f"{desk.repository}:v2")
    attach = ("artifact", "put", "--artifact-type", "application/x.test", "--subject", f"{desk.repository}:v1")
    desk.run("regctl", *attach, stdin="about it")
    assert desk.run("regctl", "tag", "list", desk.repository).stdout.split() == ["v1", "v2"], "no tag was made for the referrers"
    listed = desk.run("regctl", "artifact", "list", f"{desk.repository}:v1", "--format", "{{jsonPretty .}}").stdout
    assert "application/x.test" in listed
    desk.run("regctl", "tag", "delete", f"{desk.repository}:v2")
    assert desk.run("regctl", "tag", "list", desk.repository).stdout.split() == ["v1"]
    assert desk.run("regctl", "image", "digest", f"{desk.repository}:v1").stdout.strip() == digest
    assert f"{desk.team.project}/app" in desk.run("regctl", "repo", "ls", desk.team.stack.host).stdout.split()


def test_oras(desk: Desk) -> None:
    safely = "--plain-http=false"  # at localhost it would try without TLS first
    desk.login("oras", "login", safely)
    (desk.home / "file.txt").write_text("hello")
    (desk.home / "sbom.json").write_text("{}")
    desk.run("oras", "push", f"{desk.repository}:v1", "file.txt", "--artifact-type", "application/x.files", safely)
    digest = desk.run("oras", "resolve", f"{desk.repository}:v1", safely).stdout.strip()
    desk.run("oras", "attach", f"{desk.repository}:v1", "sbom.json", "--artifact-type", "application/spdx+json", safely)
    found = json.loads(desk.run("oras", "discover", f"{desk.repository}:v1", "--format", "json", safely).stdout)
    (referrer,) = found.get("referrers") or found["manifests"]
    assert referrer["artifactType"] == "application/spdx+json"
    assert desk.run("oras", "repo", "tags", desk.repository, safely).stdout.split() == ["v1"]
    assert [one["type"] for one in desk.api("/v1/accessories")] == ["subject.accessory"]
    desk.run("oras", "manifest", "delete", "--force", f"{desk.repository}@{digest}", safely)
    assert desk.api("?q=base=*") == [], "what was attached went along"


def test_cosign(desk: Desk) -> None:
    desk.login("cosign", "login")
    desk.login("crane", "auth", "login")
    layout, digest = desk.image("cosign")
    desk.run("crane", "push", str(layout), f"{desk.repository}:v1")
    desk.run("cosign", "generate-key-pair")
    image = f"{desk.repository}@{digest}"
    desk.run("cosign", "sign", "--key", "cosign.key", "--tlog-upload=false", "--yes", image)
    verify = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", image)
    assert digest in desk.run("cosign", *verify).stdout
    (signature,) = desk.api(f"/{digest}/accessories")
    assert (signature["type"], signature["subject_artifact_digest"]) == ("signature.cosign", digest)
    assert [row["digest"] for row in desk.api("?with_accessory=true")] == [digest]
    desk.run("cosign", "clean", "--force", image)
    assert desk.api(f"/{digest}/accessories") == []
    assert desk.run("cosign", *verify, check=False).returncode != 0


def test_helm(desk: Desk) -> None:
    desk.run("helm", "create", "chart")
    desk.run("helm", "package", "chart")
    desk.login("helm", "registry", "login")
    (archive,) = desk.home.glob("chart-*.tgz")
    place = f"oci://{desk.team.stack.host}/{desk.team.project}"
    desk.run("helm", "push", archive.name, place)
    shown = desk.run("helm", "show", "chart", f"{place}/chart").stdout
    assert "name: chart" in shown, "the newest version is found by the list of tags"
    desk.run("helm", "pull", f"{place}/chart", "--version", "0.1.0", "--destination", "pulled-somewhere", "--untar")
    answer = desk.team.stack.api("GET", f"/projects/{desk.team.project}/repositories/chart/artifacts/0.1.0")
    assert answer.json()["type"] == "CHART"
