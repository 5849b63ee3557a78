"""What is copied between this registry and others, for system administrators: policies, and how their runs went."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request
from sqlalchemy import select

from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.jobs import schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import FINAL, MANUAL, Execution
from authsvc.rbac.guard import require_sysadmin
from authsvc.rbac.principal import Principal
from authsvc.registries.models import Registry
from authsvc.replication import rules, service
from authsvc.replication.models import ReplicationPolicy
from authsvc.replication.service import KIND, Wanted, proof
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("replication", __name__)
COLUMNS = {"name": ReplicationPolicy.name, "created": ReplicationPolicy.creation_time}
THERE = "/admin/replication"
DIRECTIONS = ("push", "pull")
_LONGEST = {"name": 255, "registry": 19, "names": 1024, "tags": 1024, "namespace": 255, "levels": 3, "cron": 255, "speed": 9}
_MOST_REGISTRIES, _RUNS = 500, 20


@blueprint.get(THERE)
def show_policies() -> Response:
    return _policies()


def _policies(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    asked, statement = listing.asked(COLUMNS), service.every()
    if asked.search:
        statement = statement.where(ReplicationPolicy.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [ReplicationPolicy.name])
    registries = db.session.scalars(select(Registry).order_by(Registry.name).limit(_MOST_REGISTRIES)).all()
    return page(
        "replication.html",
        problem=problem,
        given={**request.form} or {"trigger": rules.MANUAL, "override": "true", "levels": "0"},
        listing=shown,
        names=_names(*shown.rows),
        registries=registries,
        triggers=rules.TRIGGERS,
        directions=DIRECTIONS,
    )


def _names(*policies: ReplicationPolicy) -> dict[int | None, str]:
    """What the registries of these are called, by id."""
    ids = {end for policy in policies for end in (policy.source_id, policy.destination_id) if end is not None}
    rows = db.session.scalars(select(Registry).where(Registry.id.in_(ids)))
    return {None: _("this registry"), **{row.id: row.name for row in rows}}


@blueprint.post(THERE)
def create_policy() -> Response:
    who = require_sysadmin()
    problem = attempted(lambda: service.create(who.name, _wanted()))
    return _policies(problem) if problem else go(THERE)


def _wanted() -> Wanted:
    """What the form asks for."""
    given, checked = fields(_LONGEST), request.form
    registry, pulls = _number("registry", given["registry"]), checked.get("direction") == "pull"
    filters = [{"type": kind, "value": value} for kind, value in (("name", given["names"]), ("tag", given["tags"])) if value]
    return Wanted(
        name=given["name"],
        description="",
        source=registry if pulls else 0,
        destination=0 if pulls else registry,
        namespace=given["namespace"],
        replace_count=_number("levels", given["levels"] or "0"),
        trigger=checked.get("trigger", ""),
        cron=given["cron"],
        filters=filters,
        deletion=checked.get("deletion") == "true",
        override=checked.get("override") == "true",
        enabled=True,
        speed=_number("speed", given["speed"] or "0"),
        copy_by_chunk=False,
        single_active=True,
    )


def _number(name: str, text: str) -> int:
    if not (text.removeprefix("-").isdigit() and text.isascii()):
        raise BadRequest(f"{name} must be a whole number")
    return int(text)


@blueprint.get(f"{THERE}/<int:policy_id>")
def show_policy(policy_id: int) -> Response:
    return _policy(policy_id)


def _policy(policy_id: int, problem: DomainError | None = None) -> Response:
    require_sysadmin()
    policy = service.get(policy_id)
    runs = db.session.scalars(jobs.of_vendor(KIND, policy.id).order_by(Execution.id.desc()).limit(_RUNS)).all()
    counted = jobs.metrics([run.id for run in runs], KIND)
    return page(
        "replication_policy.html",
        problem=problem,
        policy=policy,
        names=_names(policy),
        runs=[(run, counted.get(run.id, {}), run.status_message or proof(run)) for run in runs],
        goes_on=any(run.status not in FINAL for run in runs),
        schedule=schedules.find(KIND, policy.id),
    )


@blueprint.post(f"{THERE}/<int:policy_id>")
def act_on_policy(policy_id: int) -> Response:
    """Run it, switch it off or on, delete it."""
    who, action = require_sysadmin(), request.form.get("action", "")
    problem = attempted(lambda: _act(who, policy_id, action))
    if problem:
        return _policy(policy_id, problem)
    return go(THERE if action == "delete" else f"{THERE}/{policy_id}")


def _act(who: Principal, policy_id: int, action: str) -> None:
    policy = service.get(policy_id)
    actions: dict[str, Callable[[], object]] = {
        "run": lambda: service.launch(policy, MANUAL),
        "enable": lambda: service.switch(who.name, policy, enabled=True),
        "disable": lambda: service.switch(who.name, policy, enabled=False),
        "delete": lambda: service.delete(who.name, policy),
    }
    if action not in actions:
        raise BadRequest(f"action is one of {', '.join(actions)}")
    actions[action]()
