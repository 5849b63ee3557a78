"""What Prometheus reads: by Harbor's names, with labels that nobody outside can make more of, for administrators and nginx only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from authsvc.cli import cli
from authsvc.core.settings import Settings
from authsvc.observability import metrics
from authsvc.rbac.roles import Role
from authsvc.system import gauges
from authsvc.wsgi import Front
from tests.support.world import World, basic

ROOT = Path(__file__).parents[2]
DOCUMENTED = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))

ADMIN = 1

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(world: World, component: str = "") -> Samples:
    """As nginx asks."""
    answer = world.client.get("/internal/metrics", query_string={"comp": component}, headers={"X-Real-IP": "192.0.2.1"})
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_how_things_stand(world: World) -> None:
    world.project("web", ADMIN, public=True)
    world.project("secret", ADMIN)
    world.user("bob")
    world.member("secret", "bob", Role.GUEST)
    found = scrape(world)
    assert value(found, "harbor_project_total", public="true") == 1
    assert value(found, "harbor_project_total", public="false") == 1
    assert value(found, "harbor_statistics_total_project_amount") == 2
    assert value(found, "harbor_project_quota_byte", project_name="web") == -1
    assert value(found, "harbor_project_quota_usage_byte", project_name="web") == 0
    assert value(found, "harbor_project_member_total", project_name="secret") == 2
    assert value(found, "harbor_up", component="database") == 1
    assert value(found, "harbor_up", component="registry") == 0, "nobody listens there"
    assert value(found, "harbor_health") == 0
    assert value(found, "tidegate_inbox_events", status="pending") == 0


def test_what_is_done_is_counted(world: World) -> None:
    before = scrape(world)
    for password in ("wrong", "wrong again"):
        world.client.get("/service/token?service=harbor-registry", headers=basic("admin", password))
    world.client.get("/api/v2.0/projects", headers=basic("admin"))
    world.client.get(f"/api/v2.0/{'x' * 30}")
    world.client.open("/api/v2.0/projects", method="BREW")
    found = scrape(world)

    def more(name: str, **labels: str) -> float:
        return value(found, name, **labels) - before.get((name, frozenset(labels.items())), 0)

    assert more("tidegate_token_duration_seconds_count", status="401") == 2
    assert more("tidegate_logins_total", result="UNAUTHORIZED") == 2
    assert more("harbor_core_http_request_total", method="GET", code="200", operation="listProjects") == 1
    assert more("harbor_core_http_request_total", method="GET", code="404", operation="unknown") == 1
    assert more("harbor_core_http_request_total", method="other", code="405", operation="unknown") == 1
    assert more("harbor_core_http_request_duration_seconds_count", method="GET", operation="listProjects") == 1


def test_each_name_is_documented(world: World) -> None:
    world.project("web", ADMIN)
    found = {name for name, _ in scrape(world)}
    known = {name for name, kind in DOCUMENTED.items()}
    for name, kind in DOCUMENTED.items():
        match kind:
            case "summary":
                known |= {f"{name}_sum", f"{name}_count"}
            case "histogram":
                known |= {f"{name}_sum", f"{name}_count", f"{name}_bucket"}
    assert found <= known


def test_alerts_ask_for_what_there_is() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text()
    asked = {name for rule in re.findall(r"expr: (.*)", rules) for name in re.findall(r"(?:harbor|tidegate)_\w+", rule)}
    assert asked <= {*DOCUMENTED, *(f"{name}_bucket" for name, kind in DOCUMENTED.items() if kind == "histogram")}
    for command in re.findall(r"`authsvc ([^`]+)`", rules):
        assert CliRunner().invoke(cli, [*command.split(), "--help"]).exit_code == 0, command


def test_harbors_components_are_apart(world: World) -> None:
    everything, parts = scrape(world), [scrape(world, name) for name in ("core", "jobservice", "exporter")]
    names = [{name for name, _ in part} for part in parts]
    assert names[0] | names[1] | names[2] == {name for name, _ in everything}
    assert not (names[0] & names[2])
    assert all(name.startswith(("harbor_core_", "tidegate_")) for name in names[0])
    assert "harbor_project_total" in names[2]
    assert not scrape(world, "registry")


def test_only_the_largest_projects_have_series(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PROJECTS", 3)
    for number in range(5):
        world.project(f"p{number}", ADMIN)
    found = scrape(world)
    assert value(found, "harbor_statistics_total_project_amount") == 5
    for name in ("harbor_project_quota_byte", "harbor_project_member_total"):
        assert len([one for one, _ in found if one == name]) == 3


def test_without_the_database_the_rest_is_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Iterable[Any]:
        raise OperationalError("", None, OSError("away"))

    monkeypatch.setattr(gauges, "_work", away)
    found = scrape(world)
    assert value(found, "harbor_up", component="core") == 1
    assert "harbor_project_total" not in {name for name, _ in found}


def test_strangers_are_told_nothing(world: World) -> None:
    world.user("bob")
    inside = world.front.flask.test_client()
    assert inside.get("/internal/metrics").status_code == 404, "any process of this host"
    assert world.client.get("/api/v2.0/system/metrics").status_code == 401
    assert world.client.get("/api/v2.0/system/metrics", headers=basic("bob")).status_code == 403
    assert b"harbor_up" in world.client.get("/api/v2.0/system/metrics", headers=basic("admin")).data


def test_probes(world: World) -> None:
    assert world.client.get("/healthz/live").status_code == 200
    answer = world.client.get("/healthz/ready")
    assert (answer.status_code, answer.text) == (503, "not there: jobservice, registry\n")


def test_what_is_sent_on_is_counted_where_it_is_answered(make_settings: Callable[..., Settings]) -> None:
    """A password goes on to another process: here is nothing that took time."""
    world = World(Front(make_settings(), passwords_elsewhere=True))
    try:
        world.user("alice", sysadmin=True)
        world.front.flask.extensions["tidegate"].authentication._keeps_again = float("inf")  # it has looked at one already
        before = _counted()
        asked = {"X-Real-IP": "192.0.2.1", **basic("alice")}
        assert "X-Accel-Redirect" in world.client.get("/service/token?service=harbor-registry", headers=asked).headers
        at_gate = {"X-Gate-Method": "GET", "X-Gate-Uri": "/v2/a/b/manifests/v1", **asked}
        assert "X-Accel-Redirect" in world.client.get("/internal/gate", headers=at_gate).headers
        assert _counted() == before
    finally:
        world.close()


def _counted() -> float:
    names = ("tidegate_token_duration_seconds_count", "tidegate_gate_duration_seconds_count")
    return sum(sample.value for family in metrics.families() for sample in family.samples if sample.name in names)
