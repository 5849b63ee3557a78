"""Immutability rules: verbs and queries. Whoever moves, overwrites or deletes tags asks here first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from authsvc.artifacts.models import Intent, Tag
from authsvc.audit import service as audit
from authsvc.core.db import db, hold
from authsvc.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from authsvc.core.patterns import Selector
from authsvc.immutability.models import ImmutableTagRule
from authsvc.immutability.rules import MAX_RULES, Protected, Rule, protected
from authsvc.projects.models import Project
from authsvc.repositories.models import Repository


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule as it is asked for, checked."""

    repositories: Selector
    tags: Selector
    disabled: bool
    priority: int


def create(actor: str, project: Project, wanted: Wanted) -> ImmutableTagRule:
    """A new rule; felt by the next push.

    Raises:
        BadRequest: the project has as many rules as it may.
        Conflict: another rule says the same.
    """
    hold(project)
    if (db.session.scalar(of_project(project).with_only_columns(func.count())) or 0) >= MAX_RULES:
        raise BadRequest(f"a project has at most {MAX_RULES} immutable tag rules")
    _require_new(project, wanted)
    rule = ImmutableTagRule(project_id=project.id)
    _apply(rule, wanted)
    db.session.add(rule)
    db.session.flush()
    _note(actor, "create", project, rule)
    return rule


def update(actor: str, project: Project, rule: ImmutableTagRule, wanted: Wanted) -> None:
    """Change a rule of the project.

    Raises:
        Conflict: another rule says the same.
    """
    hold(project)
    _require_new(project, wanted, besides=rule.id)
    _apply(rule, wanted)
    _note(actor, "update", project, rule)


def remove(actor: str, project: Project, rule: ImmutableTagRule) -> None:
    """Delete a rule of the project."""
    _note(actor, "delete", project, rule)
    db.session.delete(rule)


def get(project: Project, rule_id: int) -> ImmutableTagRule:
    """A rule of the project.

    Raises:
        NotFound: the project has no such rule.
    """
    found = db.session.scalar(of_project(project).where(ImmutableTagRule.id == rule_id))
    if found is None:
        raise NotFound(f"immutable tag rule {rule_id} not found")
    return found


def of_project(project: Project) -> Select[ImmutableTagRule]:
    """All rules of a project, also those that are disabled."""
    return select(ImmutableTagRule).where(ImmutableTagRule.project_id == project.id)


def rules_of(project_id: int) -> tuple[Rule, ...]:
    """What holds in a project now: one query, for as many tags as one likes."""
    statement = select(ImmutableTagRule).where(ImmutableTagRule.project_id == project_id, ImmutableTagRule.disabled.is_(False))
    return tuple(rule_of(row) for row in db.session.scalars(statement.order_by(ImmutableTagRule.id)))


def rule_of(row: ImmutableTagRule) -> Rule:
    """A row as decisions see it."""
    return Rule(row.id, Selector(row.repository_pattern, row.repository_excludes), Selector(row.tag_pattern, row.tag_excludes))


def mark(project_id: int, tags: Iterable[tuple[str, Tag]]) -> None:
    """Say of the tags of a page whether they are immutable: full name of the repository, tag. One query for all."""
    rules = rules_of(project_id)
    for repository, tag in tags:
        tag.immutable = protected(rules, repository, [tag.name]) is not None


def require_deletable(project_id: int, repository: str, tags: Iterable[str]) -> None:
    """None of these tags of a repository (its full name) may be immutable.

    Raises:
        PreconditionFailed: one is, in Harbor's words.
    """
    if found := protected(rules_of(project_id), repository, tags):
        raise PreconditionFailed(f"the tag {found.tag} configured as immutable, cannot be deleted{_why(found)}")


def approve(intent: Intent, tags: Sequence[str]) -> None:
    """Let a deletion in (`artifacts.removal`) that takes these tags along.

    Raises:
        PreconditionFailed: one is immutable.
    """
    require_deletable(intent.project_id, intent.repository, tags)


def require_movable(repository: Repository, tags: Iterable[str]) -> None:
    """None of these tags, which exist, may be immutable.

    Raises:
        PreconditionFailed: one is, in Harbor's words.
    """
    if found := protected(rules_of(repository.project_id), repository.name, tags):
        raise PreconditionFailed(f"the tag {found.tag} configured as immutable, cannot be updated{_why(found)}")


def _why(found: Protected) -> str:
    return f" (immutable tag rule {found.rule.id}; a project administrator or maintainer can change it)"


def _require_new(project: Project, wanted: Wanted, besides: int = 0) -> None:
    for row in db.session.scalars(of_project(project).where(ImmutableTagRule.id != besides)):
        if rule_of(row) == Rule(row.id, wanted.repositories, wanted.tags):
            raise Conflict(f"immutable rule already exists: rule {row.id} says the same")


def _apply(rule: ImmutableTagRule, wanted: Wanted) -> None:
    rule.priority, rule.disabled = wanted.priority, wanted.disabled
    rule.tag_pattern, rule.tag_excludes = wanted.tags.pattern, wanted.tags.excludes
    rule.repository_pattern, rule.repository_excludes = wanted.repositories.pattern, wanted.repositories.excludes


def _note(actor: str, operation: str, project: Project, rule: ImmutableTagRule) -> None:
    tags = ("all tags but " if rule.tag_excludes else "") + rule.tag_pattern
    repositories = ("all repositories but " if rule.repository_excludes else "") + rule.repository_pattern
    state = "disabled: " if rule.disabled else ""
    audit.record(
        actor, operation, "immutable-tag-rule", f"{project.name}: rule {rule.id}", project_id=project.id,
        description=f"{state}{tags} in {repositories}",
    )  # fmt: skip
