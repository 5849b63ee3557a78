"""A decision asked again: the same caller, the same request, by what holds now."""

from __future__ import annotations

import time
from dataclasses import dataclass

from authsvc.artifacts import journal, removal
from authsvc.authn.backends.keyless import rules
from authsvc.authn.snapshot import Snapshot
from authsvc.core.db import db
from authsvc.core.errors import STATUS, Forbidden, NotFound, PreconditionFailed
from authsvc.distribution.manifest import Descriptor, Manifest
from authsvc.gate.asked import Asked, Kind
from authsvc.gate.callers import Caller
from authsvc.gate.checks import Checks, ManifestWrite, Refusal, Refused
from authsvc.gate.decide import Told, authorize, check_passing
from authsvc.gate.models import Decision
from authsvc.gate.writes import displaced
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import ANONYMOUS, Principal, ProjectRef
from authsvc.scanning import credentials as scans

_READ_LOG = Permission(Resource.LOG, Action.LIST)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision comes to: allowed, or refused by a rule with a message, and who can help."""

    allowed: bool
    status: int = 0
    code: str = ""
    rule: str = ""
    message: str = ""
    help: str = ""


def get(decision_id: str, who: Principal) -> Decision:
    """A decision that `who` may know of: his own, one in a project whose log he may read, any for a system administrator.

    Raises:
        NotFound, Forbidden
    """
    row = db.session.get(Decision, decision_id)
    if row is None:
        raise NotFound(f"decision {decision_id[:20]} not found; they are kept for a while only")
    if not _may_see(who, row):
        raise Forbidden("only who asked, who may read the project's log and system administrators may see this decision")
    return row


def _may_see(who: Principal, row: Decision) -> bool:
    own = {"user": who.id, "robot": who.robot_id}.get(who.kind, 0)
    if row.holder_kind == who.kind and row.holder_id == own != 0:
        return True
    return who.is_sysadmin or (row.project_id != 0 and can(who, _READ_LOG, ProjectRef(row.project_id, "", public=False)))


def was(row: Decision) -> Outcome:
    """What came of it then."""
    return Outcome(row.status == 0, row.status, row.code, row.rule, row.message, row.help)


def now(row: Decision, snapshot: Snapshot, checks: Checks) -> Outcome:
    """What would come of the same request now."""
    asked = Asked(row.method, Kind(row.kind), row.repository, row.reference, row.source, row.facts.get("blob", ""))
    try:
        caller = Caller(_principal(row, snapshot))
        project = authorize(caller, asked, snapshot)
        if project is not None:
            if asked.kind is Kind.MANIFEST and asked.method in ("PUT", "DELETE"):
                checks.write(_question(row, caller, asked, project, snapshot))
            else:
                check_passing(checks, caller, asked, project, snapshot, Told(row.user_agent))
    except Refused as refused:
        refusal = refused.refusal
        return Outcome(False, refusal.status, refusal.code, refusal.rule, refusal.message, refusal.help)
    except PreconditionFailed as error:  # an index needs it
        return Outcome(False, STATUS[error.code], error.code, "image index", error.message)
    return Outcome(True)


def _principal(row: Decision, snapshot: Snapshot) -> Principal:
    if not row.holder_kind:
        return ANONYMOUS
    if row.holder_kind == "workload":
        given = (snapshot.trust_rule(rule_id) for rule_id in row.facts.get("trust_rules", ()))
        return rules.workload(row.username, [rule for rule in given if rule])
    if row.holder_kind == "scanner":
        return scans.scanner([(row.project_id, row.repository)])
    account = snapshot.account(row.holder_kind, row.holder_id)
    refusal = account.refusal(time.time()) if account else f"the account {row.username} is gone"
    if account is None or refusal:
        raise Refused(Refusal(403, "DENIED", refusal, "account"))
    return account.principal


def _question(row: Decision, caller: Caller, asked: Asked, project: ProjectRef, snapshot: Snapshot) -> ManifestWrite:
    write = journal.Write(project.id, asked.repository, asked.method, asked.reference, "", caller.principal.name)
    return ManifestWrite(
        principal=caller.principal,
        project=project,
        repository=asked.repository,
        reference=asked.reference,
        method="PUT" if asked.method == "PUT" else "DELETE",
        manifest=_manifest(row) if asked.method == "PUT" else None,
        displaces=displaced(asked) if asked.method == "PUT" else removal.taken(write),
        in_flight=journal.in_flight(project.id),
        configured=snapshot.configured,
    )


def _manifest(row: Decision) -> Manifest | None:
    facts = row.facts
    if "digest" not in facts:
        return None
    layers = tuple(Descriptor(media_type, digest, size) for digest, size, media_type in facts["blobs"])
    return Manifest(digest=facts["digest"], media_type=facts["media_type"], size=facts["size"], layers=layers)
