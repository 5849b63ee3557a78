"""Every kind of identity with real clients, against the whole stack and real directories and providers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import sync_playwright

from tests.live.test_clients import Tools
from tests.support import samba, slapd
from tests.support.engine import Engine, engine, run_docker
from tests.support.images import Layout
from tests.support.issuer import CiIssuer, ci_issuer
from tests.support.oidc_provider import CLIENT_SECRET, OidcProvider, oidc_provider
from tests.support.slapd import Slapd
from tests.support.stack import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)  # Samba is installed before the first one

LOCAL_PASSWORD = "a local password"
KINDS = ["local", "ldaps", "starttls", "ad account", "ad principal", "oidc", "robot", "robot alias", "access token", "keyless"]


@dataclass
class Estate:
    """The stack with everything that people come from. `identities`: what each kind logs in with."""

    stack: Stack
    directory: Slapd
    provider: OidcProvider
    issuer: CiIssuer
    identities: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    stack = Stack(tmp_path_factory.mktemp("identity"))
    try:
        stack.start(OUTGOING_ALLOW="127.0.0.0/8", LDAP_REREAD_SECONDS="2")
        with (
            slapd.slapd(tmp_path_factory.mktemp("directory") / "slapd") as directory,
            oidc_provider(stack.url) as provider,
            ci_issuer() as issuer,
            _domain(),
        ):
            made = Estate(stack, directory, provider, issuer, {})
            _configure(made)
            yield made
    finally:
        stack.stop()


def _domain() -> Any:
    if samba.missing():
        pytest.skip(samba.missing())
    return samba.active_directory()


def _put(stack: Stack, path: str, body: dict[str, Any]) -> None:
    response = stack.api("PUT", path, json=body)
    assert response.status_code == 200, response.text


def _post(stack: Stack, path: str, body: dict[str, Any], auth: tuple[str, str] | None = None) -> Any:
    response = stack.api("POST", path, auth, json=body)
    assert response.status_code == 201, response.text
    return response.json() if response.content else None


def _configure(estate: Estate) -> None:
    stack, people = estate.stack, f"ou=people,{slapd.BASE}"
    _put(stack, "/ldap/directories/tls", {"settings": estate.directory.settings(ldap_filter="(uid=alice)"), "position": 1})
    plain = {"ldap_url": f"ldap://localhost:{estate.directory.port}", "ldap_starttls": True, "ldap_base_dn": people}
    _put(
        stack,
        "/ldap/directories/starttls",
        {"settings": estate.directory.settings(**plain, ldap_filter="(uid=carol)"), "position": 2},
    )
    _put(
        stack,
        "/ldap/directories/ad",
        {"settings": samba.ActiveDirectory().settings(ldap_filter="(!(sAMAccountName=alice))"), "position": 3},
    )
    _put(stack, "/system/oidc/providers/default", {"settings": estate.provider.settings()})
    for project in ("may-push", "may-pull", "may-nothing"):
        _post(stack, "/projects", {"project_name": project})
    _post(stack, "/users", {"username": "lois", "password": LOCAL_PASSWORD, "email": "lois@example.net"})
    robot = _post(stack, "/robots", {
        "name": "ci", "level": "system", "duration": -1,
        "permissions": [_access("may-push", "push", "pull"), _access("may-pull", "pull")],
    })  # fmt: skip
    for project, actions in (("may-push", ["pull", "push"]), ("may-pull", ["pull"])):
        rule = {"name": project, "issuer": estate.issuer.url, "audience": "registry.example.com", "project": project}
        _post(stack, "/system/trust-rules", rule | {"claims": {"repository": "example/web"}, "actions": actions})
    estate.identities |= {
        "local": ("lois", LOCAL_PASSWORD),
        "ldaps": ("alice", slapd.PASSWORD),
        "starttls": ("carol", slapd.PASSWORD),
        "ad account": ("bob", samba.PASSWORD),
        "ad principal": ("bob@ad.example.test", samba.PASSWORD),
        "oidc": ("olga", _cli_secret_by_browser(estate)),
        "robot": (robot["name"], robot["secret"]),
        "robot alias": ("robot-ci", robot["secret"]),
        "keyless": ("oidc", estate.issuer.token()),
    }
    for kind in ("local", "ldaps", "starttls", "ad account", "oidc"):
        name = estate.identities[kind][0]
        for project, role in (("may-push", 2), ("may-pull", 3)):
            _post(stack, f"/projects/{project}/members", {"role_id": role, "member_user": {"username": name}})
    lois = stack.api("GET", "/users/current", estate.identities["local"]).json()["user_id"]
    token = _post(stack, f"/users/{lois}/access-tokens", {"name": "laptop"}, estate.identities["local"])["token"]
    estate.identities["access token"] = ("lois", token)


def _access(project: str, *actions: str) -> dict[str, Any]:
    access = [{"resource": "repository", "action": action} for action in actions]
    return {"kind": "project", "namespace": project, "access": access}


def _cli_secret_by_browser(estate: Estate) -> str:
    """Log in at the provider in a real browser, and have the pages' own session make a CLI secret."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(f"{estate.stack.url}/c/oidc/login?redirect_url=/api")
        page.fill("input[name=login]", "olga")
        page.fill("input[name=password]", "anything")
        page.click("button[type=submit]")
        page.click("button[type=submit]")  # the provider asks for consent
        page.wait_for_url(f"{estate.stack.url}/api")
        secret: str = page.evaluate(
            """async () => {
                const me = await (await fetch('/api/v2.0/users/current')).json();
                const made = await fetch(`/api/v2.0/users/${me.user_id}/cli_secret`, {method: 'POST'});
                return (await made.json()).secret;
            }"""
        )
        browser.close()
    return secret


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layout")
    made = Layout(path)
    made.tag("v1", made.image("identity"))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_logs_in_and_may_do_what_its_role_says(estate: Estate, kind: str, tmp_path: Path, layout: Path) -> None:
    stack, auth = estate.stack, estate.identities[kind]
    home = tmp_path / "docker"
    home.mkdir()
    done = run_docker(home, "login", stack.host, "-u", auth[0], "--password-stdin", stdin=auth[1], ca=stack.ca)
    assert "Login Succeeded" in done.stdout
    (tmp_path / "tools").mkdir()
    tools = Tools(tmp_path / "tools", stack)
    podman = ("podman", "login", f"--cert-dir={tools.certificates}", "--username", auth[0], "--password-stdin", stack.host)
    assert "Login Succeeded" in tools.run(*podman, stdin=auth[1]).stdout
    tools.login(auth)
    certificates = f"--dest-cert-dir={tools.certificates}"
    pushed = f"docker://{stack.host}/may-push/{kind.replace(' ', '-')}:v1"
    tools.run("skopeo", "copy", certificates, f"oci:{layout}:v1", pushed)
    tools.run("skopeo", "inspect", "--raw", f"--cert-dir={tools.certificates}", pushed)
    for project in ("may-pull", "may-nothing"):
        refused = tools.run(
            "skopeo", "copy", certificates, f"oci:{layout}:v1", f"docker://{stack.host}/{project}/a:v1", check=False
        )
        assert refused.returncode != 0
        assert _says_no(refused.stderr), refused.stderr
    tools.run("podman", "pull", f"oci:{layout}:v1")
    image = tools.run("podman", "images", "--quiet").stdout.split()[0]
    by_podman = ("podman", "push", f"--cert-dir={tools.certificates}", image)
    tools.run(*by_podman, f"docker://{stack.host}/may-push/{kind.replace(' ', '-')}:by-podman")
    assert _says_no(tools.run(*by_podman, f"docker://{stack.host}/may-pull/a:v1", check=False).stderr)


def _says_no(text: str) -> bool:
    """skopeo and podman ask for some things by HEAD, whose answers have no words."""
    return any(word in text for word in ("denied", "unauthorized", "403 (Forbidden)"))


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of our own needs root")
    with engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


def test_a_docker_engine_pushes_as_everybody(estate: Estate, docker: Engine, tmp_path: Path, layout: Path) -> None:
    stack, tools = estate.stack, Tools(tmp_path, estate.stack)
    here = f"{stack.host}/may-push/by-docker"
    tools.run("skopeo", "copy", f"oci:{layout}:v1", f"docker-archive:{tmp_path}/image.tar:{here}:v1")
    docker.docker("load", "-i", f"{tmp_path}/image.tar")
    for kind in KINDS:
        auth = estate.identities[kind]
        docker.docker("login", stack.host, "-u", auth[0], "--password-stdin", stdin=auth[1])
        allowed, refused = f"{here}:{kind.replace(' ', '-')}", f"{stack.host}/may-pull/by-docker:v1"
        for image in (allowed, refused):
            docker.docker("tag", f"{here}:v1", image)
        docker.docker("push", allowed)
        no = docker.docker("push", refused, check=False)
        assert no.returncode != 0, kind
        assert _says_no(no.stderr), no.stderr
        docker.docker("logout", stack.host)


def test_pushes_by_nested_and_primary_group(estate: Estate, tmp_path: Path, layout: Path) -> None:
    """alice is a developer, and developers are engineers; bob is in Domain Users, as everybody in Active Directory is."""
    stack = estate.stack
    _post(stack, "/projects", {"project_name": "by-nested"})
    for source, dn in (("tls", slapd.group_dn("engineers")), ("ad", samba.group_dn("Domain Users"))):
        group = {"group_type": 1, "ldap_group_dn": dn, "source": source}
        _post(stack, "/projects/by-nested/members", {"role_id": 2, "member_group": group})
    tools = Tools(tmp_path, stack)
    for kind, allowed in (("ldaps", True), ("ad account", True), ("ad principal", True), ("local", False)):
        tools.login(estate.identities[kind])
        target = f"docker://{stack.host}/by-nested/{kind.replace(' ', '-')}:v1"
        done = tools.run("skopeo", "copy", f"--dest-cert-dir={tools.certificates}", f"oci:{layout}:v1", target, check=False)
        assert (done.returncode == 0) is allowed, (kind, done.stderr)


def test_leaving_a_group_takes_push_away_by_itself(estate: Estate) -> None:
    """The worker reads the groups again every two seconds here; nobody logs in meanwhile."""
    stack, auth = estate.stack, ("alice", slapd.PASSWORD)
    group = {"role_id": 2, "member_group": {"group_type": 1, "ldap_group_dn": slapd.group_dn("developers"), "source": "tls"}}
    _post(stack, "/projects", {"project_name": "by-group"})
    _post(stack, "/projects/by-group/members", group)
    scope = "repository:by-group/a:push"

    def granted() -> list[str]:
        import jwt

        token = stack.token(scope, auth).json()["token"]
        return list(jwt.decode(token, options={"verify_signature": False})["access"][0]["actions"])

    assert granted() == ["push"]
    estate.directory.leave("alice", "developers")
    try:
        eventually(lambda: granted() != ["push"])
    finally:
        estate.directory.join("alice", "developers")


def test_the_page_for_the_first_name_in_a_browser(estate: Estate, tmp_path: Path) -> None:
    _put(estate.stack, "/system/oidc/providers/default", {"settings": {"oidc_auto_onboard": False}})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(ignore_https_errors=True, locale="zh-CN").new_page()
        page.goto(f"{estate.stack.url}/c/oidc/login?redirect_url=/")
        page.fill("input[name=login]", "newcomer")
        page.fill("input[name=password]", "anything")
        page.click("button[type=submit]")
        page.click("button[type=submit]")
        page.wait_for_url("**/c/oidc/onboard")
        assert page.text_content("h1") == "选择用户名"
        page.screenshot(path=str(tmp_path / "onboard.png"))
        page.fill("#username", "lois")
        page.click("main button")
        assert "lois" in str(page.text_content("[role=alert]"))
        page.fill("#username", "nadia")
        page.click("main button")
        page.wait_for_url(f"{estate.stack.url}/projects")
        assert page.evaluate("async () => (await (await fetch('/api/v2.0/users/current')).json()).username") == "nadia"
        browser.close()


def test_no_canary_is_kept(estate: Estate) -> None:
    """Passwords and secrets of all kinds, right and wrong ones, in every place where one is shown: not in a log of any program,
    nor in the database, an answer, a command line or an environment."""
    stack = estate.stack
    canaries = {secret for _, secret in estate.identities.values()} | {
        slapd.READER_PASSWORD, samba.PASSWORD, CLIENT_SECRET, stack.admin[1], "canary-wrong-one", "canary-in-broken-json",
    }  # fmt: skip
    answers = [*_wrong_ways(estate), *_what_administrators_see(stack)]
    for answer in answers:
        assert answer.status_code < 500
    last = answers[-1].headers["X-Request-Id"]
    eventually(lambda: last in (stack.log_dir / "access.log").read_text())
    places = {f"answer of {answer.url}": answer.content + str(answer.headers).encode() for answer in answers}
    places |= {
        str(path): path.read_bytes() for path in stack.state_dir.rglob("*") if path.is_file() and _may_be_read(stack, path)
    }
    for program in ("registry", "token", "api", "webhook", "worker", "nginx"):
        for pid in stack.pids(program):
            for name in ("cmdline", "environ"):
                places[f"{name} of {program} {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    assert len([place for place in places if place.endswith(".log")]) >= 5
    for place, content in places.items():
        for canary in canaries:
            assert canary.encode() not in content, f"{canary[:12]} in {place}"
    assert json.loads(stack.cli("logins", "list", "lois", "-o", "json").stdout)


def _may_be_read(stack: Stack, path: Path) -> bool:
    """Everything but what holds secrets on purpose, readable by its owner only, and images."""
    return path.relative_to(stack.state_dir).parts[0] not in ("secrets", "keys", "registry")


def _wrong_ways(estate: Estate) -> list[requests.Response]:
    """A canary shown in each place where somebody may put a secret, by each name."""
    stack = estate.stack
    ask: dict[str, Any] = {"verify": str(stack.ca), "timeout": 30}
    own = {"Origin": stack.url}
    made = []
    for name, _ in estate.identities.values():
        form = {"grant_type": "password", "username": name, "password": "canary-wrong-one", "service": "harbor-registry"}
        made.append(requests.get(f"{stack.url}/service/token", auth=(name, "canary-wrong-one"), **ask))
        made.append(requests.post(f"{stack.url}/service/token", data=form, **ask))
    assert {answer.status_code for answer in made} <= {401, 429}
    login = {"principal": "lois", "password": "canary-wrong-one"}
    headers = {"Content-Type": "application/json"}
    broken = '{"ldap_search_password": "canary-in-broken-json", '
    return [
        *made,
        requests.post(f"{stack.url}/c/login", data=login, headers=own, **ask),
        requests.get(f"{stack.url}/v2/_catalog", auth=("lois", "canary-wrong-one"), **ask),
        requests.get(f"{stack.url}/v2/", auth=("canary-wrong-one", "canary-wrong-one"), **ask),
        requests.get(f"{stack.url}/api/v2.0/users", headers={"Authorization": "Bearer canary-wrong-one"}, **ask),
        stack.api("PUT", "/users/1/password", json={"old_password": "canary-wrong-one", "new_password": "canary-wrong-one"}),
        stack.api(
            "PUT", "/users/1/password", json={"old_password": ["canary-wrong-one"], "new_password": {"canary-wrong-one": 1}}
        ),
        stack.api("PUT", "/configurations", data=broken, headers=headers),
        stack.api("PUT", "/configurations", json={"ldap_search_password": ["canary-in-broken-json"], "auth_mode": "ldap_auth"}),
        stack.api("PUT", "/ldap/directories/tls", data=broken, headers=headers),
        stack.api("POST", "/ldap/ping", json={"ldap_url": "ldap://127.0.0.1:1", "ldap_search_password": "canary-wrong-one"}),
        stack.api("POST", "/ldap/trace", json={"source": "tls", "username": "alice", "password": "canary-wrong-one"}),
        stack.api("PATCH", "/robots/1", json={"secret": "canary-wrong-one"}),
    ]


def _what_administrators_see(stack: Stack) -> list[requests.Response]:
    paths = (
        "/audit-logs?page_size=100", "/auditlog-exts?page_size=100", "/configurations", "/ldap/directories", "/system/oidc/providers",
        "/system/login-failures", "/system/trust-rules", "/robots", "/users", "/systeminfo", "/jobservice/queues",
    )  # fmt: skip
    return [stack.api("GET", path) for path in paths]
