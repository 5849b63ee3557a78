"""A decision is kept under the id that the refusal prints, and can be asked again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner

from authsvc.authn.commands import explain
from authsvc.core.db import db, utcnow
from authsvc.gate import tasks
from authsvc.gate.models import Decision
from authsvc.jobs.context import JobContext
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from tests.gate.conftest import Site
from tests.gate.test_races import RULE
from tests.gate.test_reads import pull
from tests.support.registry import digest_of
from tests.support.world import basic


def decision_in(message: str) -> str:
    found = re.search(r"decision ([0-9a-f]{12})", message)
    assert found, message
    return found[1]


def look(site: Site, decision_id: str, who: str = "admin") -> dict[str, Any]:
    answer = site.world.api("GET", f"/system/decisions/{decision_id}", who)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def test_a_refused_push_is_asked_again(site: Site) -> None:
    said = site.put("v1", site.manifest(), basic("guest")).get_json()["errors"][0]["message"]
    found = look(site, decision_in(said))
    assert (found["username"], found["method"], found["repository"], found["reference"]) == (
        "guest",
        "PUT",
        site.repository,
        "v1",
    )
    assert found["then"] == found["now"]
    assert found["then"]["message"] in said
    with site.world.changes():
        project = projects.get_by_name(site.project)
        members.set_role(operator("t"), project, members.id_of(project, users.get_by_name("guest")) or 0, Role.DEVELOPER)
    found = look(site, found["id"])
    assert (found["then"]["allowed"], found["now"]) == (False, {"allowed": True})


def test_a_rule_of_contents_is_asked_again_with_the_same_contents(site: Site) -> None:
    data = site.manifest()
    assert site.put("v1", data).status_code == 201
    created = site.world.api("POST", f"/projects/{site.project}/immutabletagrules", "admin", json=RULE)
    said = site.put("v1", data).get_json()["errors"][0]
    assert said["code"] == "PRECONDITION"
    found = look(site, decision_in(said["message"]))
    assert found["digest"] == digest_of(data)
    assert found["then"]["rule"] == found["now"]["rule"] == f"immutable tag rule {created.headers['Location'].rpartition('/')[2]}"
    path = created.headers["Location"].removeprefix("/api/v2.0")
    assert site.world.api("DELETE", path, "admin").status_code == 200
    assert look(site, found["id"])["now"] == {"allowed": True}
    quota = site.world.api("GET", f"/quotas?reference=project&reference_id={site.project_id}", "admin").get_json()[0]["id"]
    assert site.world.api("PUT", f"/quotas/{quota}", "admin", json={"hard": {"storage": 1}}).status_code == 200
    refused = site.put("v2", site.manifest("other")).get_json()["errors"][0]["message"]
    assert look(site, decision_in(refused))["now"]["rule"].startswith("storage quota")


def test_a_refused_read_and_a_write_that_was_let_in(site: Site) -> None:
    said = pull(site, basic("stranger"))
    again = pull(site, basic("stranger"))
    assert again == said, "who comes again and again is given one decision"
    site.world.front._gate._recorder.flush()
    found = look(site, decision_in(said.message))
    assert (found["username"], found["address"], found["then"]["status"]) == ("stranger", "192.0.2.7", 403)
    assert site.put("v1", site.manifest()).status_code == 201
    with site.world.front.flask.app_context():
        (granted,) = db.session.query(Decision.id).where(Decision.status == 0).all()
    assert look(site, granted.id)["then"] == look(site, granted.id)["now"] == {"allowed": True}


def test_who_may_see_a_decision(site: Site) -> None:
    decision_id = decision_in(site.put("v1", site.manifest(), basic("guest")).get_json()["errors"][0]["message"])
    for who, status in (
        ("guest", 200),
        ("projectAdmin", 200),
        ("admin", 200),
        ("developer", 403),
        ("stranger", 403),
        (None, 401),
    ):
        assert site.world.api("GET", f"/system/decisions/{decision_id}", who).status_code == status, who
    assert site.world.api("GET", "/system/decisions/000000000000", "guest").status_code == 404


def test_the_command(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    decision_id = decision_in(site.put("v1", site.manifest(), basic("guest")).get_json()["errors"][0]["message"])
    settings = site.world.front.flask.config["TIDEGATE"]
    shown = CliRunner().invoke(explain, [decision_id, "-o", "json"], obj=settings)
    assert shown.exit_code == 12, shown.output
    assert json.loads(shown.output)["now"]["code"] == "DENIED"
    text = CliRunner().invoke(explain, [decision_id], obj=settings).output
    assert f"guest asked to PUT {site.repository} v1" in text
    assert "now   refused with 403 by rights" in text
    assert CliRunner().invoke(explain, ["000000000000"], obj=settings).exit_code == 1


def test_old_decisions_are_forgotten(site: Site) -> None:
    site.put("v1", site.manifest(), basic("guest"))
    context = JobContext(site.world.front.flask.config["TIDEGATE"], site.registry.client, lambda: None)
    with site.world.front.flask.app_context():
        assert tasks.purge(context) == {"forgotten": 0}
        db.session.query(Decision).update({"at": utcnow().replace(year=2020)})
        db.session.commit()
        assert tasks.purge(context) == {"forgotten": 1}
