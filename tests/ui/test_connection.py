"""What to paste, by tool: it is what each tool reads, whatever people and projects are called, and what it holds logs in."""

from __future__ import annotations

import base64
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
import yaml

from authsvc.rbac.roles import BY_POWER, Role
from authsvc.robots import connection
from authsvc.robots.connection import Login, Part
from tests.support.visitor import Visitor, see
from tests.support.world import World

KINDS = (connection.clients, connection.machines, connection.pipelines, connection.keyless)
NAMES = ("alice", "robot$team+ci", 'o\'neil "the" $HOME `id` \\ #1: {x}')
READERS: dict[str, Callable[[str], Any]] = {
    ".toml": tomllib.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
    ".json": json.loads,
}


def parts(login: Login) -> Iterator[tuple[str, Part]]:
    for kind in KINDS:
        for tool, found in kind(login).items():
            for part in found:
                yield f"{kind.__name__}, {tool}", part


@pytest.mark.parametrize("own_authority", [True, False])
@pytest.mark.parametrize("username", NAMES)
def test_each_is_what_its_tool_reads(username: str, own_authority: bool) -> None:
    login = Login("registry.example.com:8443", "team", username, "se'cr$et", own_authority)
    for where, part in parts(login):
        ending = re.search(r"\.[a-z]+$", part.where)
        if not part.where:
            for line in part.text.splitlines():
                assert len(shlex.split(line)) > 2, where
        elif ending:
            assert READERS[ending[0]](part.text), where
        else:
            assert part.where == "Jenkinsfile"


@pytest.mark.parametrize("username", NAMES)
def test_names_and_secrets_arrive_as_they_are(username: str) -> None:
    login = Login("registry.example.com", "team", username, "se'cr$et", own_authority=True)
    found = {kind.__name__: kind(login) for kind in KINDS}
    secret = shlex.split(found["machines"]["Kubernetes"][0].text.splitlines()[0])
    assert f"--docker-username={username}" in secret
    assert "--docker-password=se'cr$et" in secret
    hosts = tomllib.loads(found["machines"]["containerd"][0].text)["host"]["https://registry.example.com"]
    assert base64.b64decode(hosts["header"]["authorization"].removeprefix("Basic ")).decode() == f"{username}:se'cr$et"
    assert hosts["ca"].endswith("/ca.crt")
    k3s = yaml.safe_load(found["machines"]["k3s"][0].text)["configs"]["registry.example.com"]
    assert k3s["auth"] == {"username": username, "password": "se'cr$et"}
    assert k3s["tls"]["ca_file"] == hosts["ca"]
    (job,) = (one for one in yaml.safe_load(found["pipelines"]["GitLab CI"][0].text).values())
    assert shlex.split(job["script"][0].partition("|")[2])[:5] == [
        "docker",
        "login",
        "registry.example.com",
        "--username",
        username,
    ]
    assert json.loads(found["pipelines"]["Renovate"][0].text)["hostRules"][0]["username"] == username


def test_who_reads_from_a_prompt_gets_no_secret() -> None:
    login = Login("registry.example.com", "team", "alice", "hidden")
    without = {"docker", "podman", "nerdctl", "skopeo", "Helm", "ORAS"}
    assert not any("hidden" in part.text for tool in without for part in connection.clients(login)[tool])
    assert not any("hidden" in part.text for found in connection.keyless(login).values() for part in found)


@pytest.fixture
def team(world: World) -> World:
    world.project("team", 1)
    for role in BY_POWER:
        world.user(role.label)
        world.member("team", role.label, role)
    return world


@pytest.mark.parametrize("role", BY_POWER)
def test_everybody_sees_it_and_who_may_makes_a_robot(team: World, role: Role) -> None:
    visitor = Visitor(team)
    visitor.sign_in(role.label)
    answer = visitor.get("/projects/team/connect")
    seen = see(answer)
    assert f"docker login localhost:8443 --username {role.label}" in seen.text
    assert connection.PASSWORD in seen.text
    assert not seen.foul
    assert ('aria-label="New robot"' in answer.text) == (role is Role.PROJECT_ADMIN)


def test_strangers_see_what_is_public_without_a_name(team: World) -> None:
    visitor = Visitor(team)
    assert visitor.get("/projects/team/connect").status_code == 302
    team.api("PUT", "/projects/team", "admin", json={"metadata": {"public": "true"}})
    assert "docker login localhost:8443 --username USER" in visitor.page("/projects/team/connect").text


def test_a_robot_made_on_the_spot_logs_in_with_what_is_written(team: World) -> None:
    boss = Visitor(team)
    boss.sign_in(Role.PROJECT_ADMIN.label)
    shown = boss.post("/projects/team/robots", name="ci", duty="push", days="30").text
    written = [unescape(one) for one in re.findall(r'<pre[^>]*id="pipeline-[^>]*>(.*?)</pre>', shown, re.DOTALL)]
    (config,) = (json.loads(one) for one in written if '"auths"' in one)
    assert list(config["auths"]) == ["localhost:8443"]
    said = {"Authorization": f"Basic {config['auths']['localhost:8443']['auth']}"}
    token = team.client.get("/service/token?service=harbor-registry&scope=repository:team/app:pull,push", headers=said)
    assert token.status_code == 200
    assert base64.b64decode(config["auths"]["localhost:8443"]["auth"]).startswith(b"robot$team+ci:tgb_")
