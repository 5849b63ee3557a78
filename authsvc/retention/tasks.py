"""Retention of one repository, as a job: decide, say why, delete what is not kept, unless it only was to be tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from authsvc.artifacts import record, removal
from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact, Intent, Tag
from authsvc.configuration import service as configuration
from authsvc.configuration.items import READ_ONLY
from authsvc.core.clock import rfc3339
from authsvc.core.db import db, reading, utcnow
from authsvc.core.errors import Denied, NotFound, PreconditionFailed
from authsvc.immutability import service as immutability
from authsvc.immutability.rules import protected
from authsvc.jobs.context import JobContext
from authsvc.jobs.models import SCHEDULE, Execution
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.retention import rules, service
from authsvc.retention.rules import Candidate, Rule

ACTOR = "tidegate:retention"
_NAMED = 500  # of those that were deleted


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of a repository's artifacts. `reasons`: why one stays, by its id."""

    repository: str
    candidates: Sequence[Candidate]
    reasons: Mapping[int, str]
    dry_run: bool


def start(policy_id: int, _params: Mapping[str, Any]) -> object:
    """What the schedule does."""
    policy = service.find(policy_id)
    return service.launch(policy, SCHEDULE, dry_run=False) if policy else None


def run(context: JobContext) -> dict[str, Any]:
    """One repository of one execution.

    Raises:
        Unavailable: the registry does not answer; what was deleted until then is gone.
        Denied: read-only mode; the same.
    """
    plan = _plan(context)
    if plan is None:
        context.log("there is no such repository any more")
        return {}
    context.log(f"repository {plan.repository}: {len(plan.candidates)} artifacts, {len(plan.reasons)} to be kept")
    deleted = []
    for candidate in plan.candidates:
        reason = plan.reasons.get(candidate.id)
        if reason is None and not plan.dry_run:
            context.keep_going()
            _require_writable()
            reason = _delete(context, plan.repository, candidate)
        if reason is None:
            deleted.append(candidate)
        context.log(_line(candidate, reason, dry_run=plan.dry_run))
    total, retained = len(plan.candidates), len(plan.candidates) - len(deleted)
    context.log(f"{len(deleted)} artifacts {'would be' if plan.dry_run else 'were'} deleted, {retained} stay")
    named = [{"digest": one.digest, "tag": next(iter(one.tags), "")} for one in deleted[:_NAMED]]
    return {"total": total, "retained": retained, "deleted": named}


def _require_writable() -> None:
    """Read-only mode: nothing is deleted, by whomever.

    Raises:
        Denied
    """
    with reading():
        if configuration.value("read_only"):
            raise Denied(READ_ONLY)


def _line(candidate: Candidate, reason: str | None, *, dry_run: bool) -> str:
    verb = "KEEP" if reason else ("WOULD DELETE" if dry_run else "DELETE")
    pulled = rfc3339(candidate.pulled) if candidate.pulled else "never"
    tags = ", ".join(candidate.tags[:20]) or "untagged"
    return (
        f"{verb} {candidate.digest} [{tags}] pushed {rfc3339(candidate.pushed)}, pulled {pulled}: {reason or 'no rule keeps it'}"
    )


def _plan(context: JobContext) -> Plan | None:
    with reading():
        execution = db.session.get(Execution, context.execution_id)
        repository = db.session.get(Repository, context.payload["repository_id"])
        if execution is None or repository is None:
            return None
        candidates = _candidates(repository)
        keeping = rules.kept(candidates, rules.parse(execution.extra_attrs["rules"]), repository.name.partition("/")[2], utcnow())
        reasons = {one.id: _said(keeping, one) for one in candidates if keeping is None or one.id in keeping}
        immutable = immutability.rules_of(repository.project_id)
        for one in candidates:
            if one.id not in reasons and (found := protected(immutable, repository.name, one.tags)):
                reasons[one.id] = f"tag {found.tag} is immutable (rule {found.rule.id})"
        return Plan(repository.name, candidates, reasons, bool(execution.extra_attrs["dry_run"]))


def _said(keeping: Mapping[int, Rule] | None, candidate: Candidate) -> str:
    if keeping is None:
        return "no rule looks at this repository any more"
    rule = keeping[candidate.id]
    return f"rule {rule.number} ({rules.TEMPLATES[rule.template].text.replace('#', str(rule.parameter))})"


def _candidates(repository: Repository) -> list[Candidate]:
    """What a list of the repository shows: what is attached, and what an index holds, goes with that."""
    tags: dict[int, list[str]] = {}
    named = select(Tag.artifact_id, Tag.name).where(Tag.repository_id == repository.id).order_by(Tag.name)
    for artifact_id, name in db.session.execute(named):
        tags.setdefault(artifact_id, []).append(name)
    columns = (Artifact.id, Artifact.digest, Artifact.push_time, Artifact.pull_time)
    found = artifacts.top_level(artifacts.everything(repository)).with_only_columns(*columns).order_by(Artifact.id)
    return [
        Candidate(id_, digest, tuple(tags.get(id_, ())), pushed, pulled)
        for id_, digest, pushed, pulled in db.session.execute(found)
    ]


def _delete(context: JobContext, repository: str, candidate: Candidate) -> str | None:
    """Why it stays after all, or None: it is gone."""

    def approve(intent: Intent, tags: tuple[str, ...]) -> None:
        at = repositories.find(intent.repository)
        found = record.find(at, candidate.digest) if at else None
        if found is None:
            raise NotFound(f"artifact {repository}@{candidate.digest} not found")
        names = sorted(artifacts.tags_on([found]))
        if (names, found.pull_time) != (sorted(candidate.tags), candidate.pulled):
            raise PreconditionFailed("it was tagged or pulled meanwhile")
        immutability.approve(intent, tags)

    try:
        removal.delete_artifact(ACTOR, context.registry, repository, candidate.digest, approve)
    except NotFound:
        return None
    except PreconditionFailed as error:
        return error.message
    return None
