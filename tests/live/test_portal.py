"""The pages in a real browser, in front of a real stack: by keyboard, in each language and theme, wide and narrow, and nothing on them
that people who see or move otherwise cannot use (axe)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.images import Layout
from tests.support.rawclient import RawClient
from tests.support.stack import Stack

AXE = (Path(__file__).parent.parent / "support" / "vendor" / "axe.min.js").read_text()
REFUSED = "the server responded with a status of 400"  # a form that a test sends in with a mistake
LOOKS = {"en, light, wide": ("en-US", "light", 1280), "zh, dark, narrow": ("zh-CN", "dark", 400)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(params=[*LOOKS.values()], ids=[*LOOKS])
def page(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> Iterator[Page]:
    """A tab, which must end without an error in its console."""
    locale, scheme, width = request.param
    context = browser.new_context(
        base_url=stack.url, ignore_https_errors=True, locale=locale, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    errors: list[str] = []
    tab = context.new_page()
    tab.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert [one for one in errors if REFUSED not in one] == []


@pytest.fixture
def somebody(stack: Stack) -> tuple[str, str]:
    """A new user's name and password."""
    name, password = f"user-{uuid4().hex[:8]}", "Chosen by somebody 1"
    body = {"username": name, "password": password, "email": f"{name}@example.com", "realname": "Some Body"}
    assert stack.api("POST", "/users", json=body).status_code == 201
    return name, password


def well(page: Page) -> None:
    """Everybody can use it, and it is no wider than what it is seen on."""
    found: dict[str, Any] = page.evaluate(f"{AXE}; axe.run(document)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]] == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


def enter(page: Page) -> None:
    """Send a form by keyboard, and wait for the page that comes of it."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def sign_in(page: Page, somebody: tuple[str, str], then: str) -> None:
    page.goto(f"/sign-in?next={then}")
    page.fill("#principal", somebody[0])
    page.fill("#password", somebody[1])
    enter(page)


def test_from_signing_in_to_the_first_push(stack: Stack, page: Page, somebody: tuple[str, str]) -> None:
    project = f"first-{uuid4().hex[:8]}"
    page.goto("/")
    well(page)
    page.goto("/new-project")
    well(page)
    page.keyboard.type(somebody[0])
    page.keyboard.press("Tab")
    page.keyboard.type(somebody[1])
    enter(page)
    assert page.url.endswith("/new-project")
    well(page)
    page.keyboard.type(project)
    enter(page)
    assert page.url.endswith(f"/projects/{project}")
    assert f"docker push {stack.host}/{project}/" in page.inner_text("main")
    well(page)
    digest = RawClient(stack, somebody).push(f"{project}/deep/app", "v1")
    page.reload()
    well(page)
    with page.expect_navigation():
        page.click("main table >> text=deep/app")
    well(page)
    with page.expect_navigation():
        page.click("main table >> text=v1")
    assert page.url.endswith(f"/projects/{project}/repositories/deep/app:v1")
    assert digest in page.inner_text("main")
    well(page)
    page.goto("/projects?sort=-created")
    assert project in page.inner_text("main")
    well(page)


def test_a_robot_made_for_ci_pushes_with_what_the_page_wrote(
    stack: Stack, page: Page, somebody: tuple[str, str], tmp_path: Path
) -> None:
    project = f"ci-{uuid4().hex[:8]}"
    assert stack.api("POST", "/projects", somebody, json={"project_name": project}).status_code == 201
    sign_in(page, somebody, f"/projects/{project}/connect")
    well(page)
    page.focus("#name")
    page.keyboard.type("ci")
    enter(page)
    page.focus("summary >> text=Kaniko")
    page.keyboard.press("Enter")
    written = page.inner_text("details[open] pre >> nth=0")
    well(page)
    (tmp_path / "config.json").write_text(written)
    certificates = tmp_path / "certs"
    certificates.mkdir()
    shutil.copy(stack.ca, certificates / "ca.crt")
    image = Layout(tmp_path / "layout")
    digest = image.tag("v1", image.image("hello from CI"))
    command = ["skopeo", "--insecure-policy", "copy", "--authfile", str(tmp_path / "config.json")]
    command += [f"--dest-cert-dir={certificates}", f"oci:{tmp_path / 'layout'}:v1", f"docker://{stack.host}/{project}/app:v1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page.goto(f"/projects/{project}/repositories/app:v1")
    assert digest in page.inner_text("main")


def test_a_tag_is_deleted_and_a_member_added(stack: Stack, page: Page, somebody: tuple[str, str]) -> None:
    project = f"team-{uuid4().hex[:8]}"
    assert stack.api("POST", "/projects", somebody, json={"project_name": project}).status_code == 201
    client = RawClient(stack, somebody)
    for tag in ("v1", "v2"):
        client.push(f"{project}/app", tag, content="the same")
    sign_in(page, somebody, f"/projects/{project}/members")
    well(page)
    page.focus("#name")
    page.keyboard.type("admin")
    enter(page)
    assert page.locator("main tbody tr").count() == 2
    well(page)
    for tab in ("connect", "robots", "labels", "retention", "immutability", "webhooks", "logs", "settings"):
        with page.expect_navigation():
            page.click(f"nav.tabs a[href$='/{tab}']")
        well(page)
    page.goto(f"/projects/{project}/comparison/app?from=v1&to=v2")
    well(page)
    page.goto(f"/projects/{project}/repositories/app:v1")
    with page.expect_navigation():
        page.click("a.btn-outline-danger")
    well(page)
    page.keyboard.type("app:v2")
    enter(page)
    assert page.locator("[role=alert]").count() == 1
    well(page)
    page.keyboard.type("app:v1")
    enter(page)
    assert page.url.endswith(f"/projects/{project}/repositories/app")
    artifacts = stack.api("GET", f"/projects/{project}/repositories/app/artifacts").json()
    assert [tag["name"] for tag in artifacts[0]["tags"]] == ["v2"]
    well(page)


def test_a_robot_pushes_with_what_the_page_wrote(stack: Stack, page: Page, somebody: tuple[str, str]) -> None:
    project = f"team-{uuid4().hex[:8]}"
    assert stack.api("POST", "/projects", somebody, json={"project_name": project}).status_code == 201
    sign_in(page, somebody, f"/projects/{project}/robots")
    well(page)
    page.fill("#name", "ci")
    page.select_option("#duty", "push")
    page.focus("#name")
    enter(page)
    well(page)
    secret, name = page.inner_text("#secret").strip(), page.inner_text("h2")
    assert RawClient(stack, (name, secret)).push(f"{project}/app", "v1")
    page.goto(f"/projects/{project}/robots")
    assert secret not in page.content()
    well(page)
    page.goto("/account/tokens")
    page.fill("#name", "laptop")
    page.focus("#name")
    enter(page)
    well(page)
    assert RawClient(stack, (somebody[0], page.inner_text("#secret").strip())).push(f"{project}/app", "v2")
    for path in ("/account/tokens", "/account/logins"):
        page.goto(path)
        well(page)


def test_administration(stack: Stack, page: Page, somebody: tuple[str, str]) -> None:
    (found,) = stack.api("GET", f"/users/search?username={somebody[0]}").json()
    assert stack.api("PUT", f"/users/{found['user_id']}/sysadmin", json={"sysadmin_flag": True}).status_code == 200
    sign_in(page, somebody, "/admin/users")
    well(page)
    name = f"new-{uuid4().hex[:8]}"
    page.fill("#username", name)
    enter(page)
    well(page)
    password = page.inner_text("#secret").strip()
    page.goto(f"/search?q={name}")
    well(page)
    with page.expect_navigation():
        page.click(f"main a >> text={name}")
    assert name in page.inner_text("h2 >> nth=0")
    well(page)
    for path in (
        "/admin/first-steps",
        "/admin/groups",
        "/admin/robots",
        "/admin/trust",
        "/admin/quotas",
        "/admin/registries",
        "/admin/replication",
        "/admin/scanners",
        "/admin/scans",
        "/admin/sources",
        "/admin/sources/ldap/corp",
        "/admin/sources/oidc/sso",
        "/admin/directories",
        "/admin/explain?user=admin&action=push&place=library",
        "/admin/configuration",
        "/admin/jobs",
        "/admin/runs",
        "/admin/gc",
        "/admin/log?result=done",
        "/admin/health",
    ):
        page.goto(path)
        well(page)
    assert page.locator(".text-bg-danger").count() == 0
    page.goto("/admin/gc")
    page.check("#dry")
    with page.expect_navigation():
        page.click("form[action='/admin/gc'] button")
    page.wait_for_selector("#runs tbody tr:first-child >> text=Success")  # without loading the page again
    with page.expect_navigation():
        page.evaluate("document.querySelector(\"form[action='/sign-out'] button\").click()")
    page.goto("/sign-in")
    page.fill("#principal", name)
    page.fill("#password", password)
    enter(page)
    assert page.url.endswith("/account/password")


def test_everything_is_found_from_everywhere(stack: Stack, page: Page, somebody: tuple[str, str]) -> None:
    project = f"found-{uuid4().hex[:8]}"
    assert stack.api("POST", "/projects", somebody, json={"project_name": project}).status_code == 201
    digest = RawClient(stack, somebody).push(f"{project}/app", "v1")
    sign_in(page, somebody, "/account/tokens")
    for typed, title in ((project, project), (f"{project}/app:v", "app:v1"), (digest[:20], f"app@{digest}")):
        page.keyboard.press("Control+k")
        page.keyboard.type(typed)
        page.wait_for_selector(f"#palette a >> text={project}")
        well(page)
        page.keyboard.press("ArrowDown")
        enter(page)
        assert title in page.inner_text("h1")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    assert not page.is_visible("#palette")


def test_language_theme_and_signing_out(page: Page, somebody: tuple[str, str]) -> None:
    page.goto("/sign-in?next=/account/password")
    well(page)
    page.fill("#principal", somebody[0])
    page.fill("#password", somebody[1])
    enter(page)
    assert page.url.endswith("/account/password")
    well(page)
    page.focus("details.menu >> nth=0 >> summary")
    page.keyboard.press("Enter")
    page.focus("button[value='zh-CN']")
    enter(page)
    assert "我的账户" in page.inner_text("h1")
    page.click("details.menu >> nth=0 >> summary")
    with page.expect_navigation():
        page.click("button[value='dark']")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.click("details.menu >> nth=0 >> summary")
    well(page)
    page.keyboard.press("Escape")
    page.click("details.menu >> nth=1 >> summary")
    with page.expect_navigation():
        page.click("form[action='/sign-out'] button")
    page.goto("/account/password")
    assert "/sign-in" in page.url
