"""Replication as jobs: one looks for what is to be copied, and begins a task for each part of it; these copy, and look again.

See docs/adr/0016-replication.md. Each can be run again at any moment: what is equal by digest is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from authsvc.authn.snapshot import Snapshots
from authsvc.core import names
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import BadRequest, DomainError, Unavailable
from authsvc.core.versioning import VersionReader
from authsvc.distribution import stores
from authsvc.gate.checks import Checks
from authsvc.gate.writes import Writer
from authsvc.jobs import service as jobs
from authsvc.jobs.context import Failed, JobContext, Stopped
from authsvc.jobs.models import RUNNING, Execution, Task
from authsvc.registries import providers, remote
from authsvc.registries import service as registries
from authsvc.registries.models import Registry
from authsvc.registries.remote import Remote
from authsvc.replication import planning, rules, service, telling
from authsvc.replication.adapters import adapter
from authsvc.replication.copying import CHUNK, Copier, Pace
from authsvc.replication.ends import Destination, Source
from authsvc.replication.local import Local
from authsvc.replication.planning import Compared, Item
from authsvc.replication.rules import Choice, Found, Naming
from authsvc.replication.service import COPY, DELETION, KIND

ATTEMPTS = 5
_OF_ONE_TASK = 100  # artifacts
_SHOWN = 20  # of what was excepted
_NAMES = 1000  # of repositories, between two looks whether to go on


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy as a job goes by it. `from_here`: our registry is the source; `destination`: the registry's id, 0
    for ours."""

    choice: Choice
    naming: Naming
    other: Remote
    name: str
    from_here: bool
    destination: int
    override: bool
    speed: int
    chunk: int

    def name_there(self, repository: str) -> str:
        """What a repository is called where it goes.

        Raises:
            BadRequest: it cannot be called so there.
        """
        name = self.naming.of(repository)
        if not self.from_here and not names.is_repository(name):
            raise BadRequest(f"{name[:255]} can be no repository here: a policy with a namespace gives it another name")
        return name


def plan(context: JobContext, checks: Checks) -> dict[str, Any]:
    """Compare both ends, all of it or what was pushed, and begin what makes them equal.

    Raises:
        Unavailable: one of the ends does not answer; it is tried again.
    """
    terms = _terms(context)
    if terms is None:
        return {}
    begun = _begun(context)
    looked, equal, excepted = 0, 0, list[str]()
    with _ends(context, checks, terms) as (source, destination):
        for repository, chosen in _chosen(context, source, terms):
            context.keep_going()
            wanted = planning.items(chosen)
            try:
                target = terms.name_there(repository)
                if wanted:  # who asks a Harbor about a project that is not there is told that he may not
                    destination.prepare(target, public=source.is_public(repository))
            except Unavailable:
                raise
            except DomainError as error:
                excepted += [error.message] if wanted else []
                looked += len(wanted)
                context.log(f"{repository} is left out: {error.message}")
                continue
            compared = planning.compare(destination, target, wanted, override=terms.override)
            ours = begun.get(repository)
            if ours is None:
                _begin(context, terms, repository, target, compared.lacking)
            looked += compared.looked
            equal += compared.equal if ours is None else compared.looked - len(compared.excepted) - ours
            excepted += compared.excepted
            context.log(_said(repository, target, compared))
    return {"artifacts": looked, "equal": equal, "excepted": excepted[:_SHOWN]}


def _said(repository: str, target: str, compared: Compared) -> str:
    return f"{repository} as {target}: {compared.looked} artifacts, {compared.equal} equal, {len(compared.lacking)} to be copied"


def _terms(context: JobContext) -> Terms | None:
    """None: the policy is gone, and so is what it was to do."""
    with reading():
        execution = db.session.get(Execution, context.execution_id)
        policy = service.find(execution.vendor_id) if execution else None
        if policy is None:
            return None
        other: Registry = registries.get(policy.source_id or policy.destination_id or 0)
        return Terms(
            choice=rules.choice(policy.filters),
            naming=Naming(policy.namespace, policy.replace_count),
            other=registries.remote_of(other),
            name=f"registry {other.name}",
            from_here=policy.source_id is None,
            destination=policy.destination_id or providers.LOCAL,
            override=policy.override,
            speed=max(0, policy.speed) * 1024,
            chunk=CHUNK if policy.copy_by_chunk else 0,
        )


@contextmanager
def _ends(context: JobContext, checks: Checks, terms: Terms) -> Iterator[tuple[Source, Destination]]:
    writer = Writer(context.registry, checks, stores.directory(stores.of(context.settings)))
    reader = VersionReader(db.engine)
    local = Local(writer, Snapshots(reader))
    try:
        with remote.opened(terms.other, context.settings.outgoing_allow, terms.name) as opened:
            there = adapter(opened, Pace(context.keep_going).look)
            yield (local, there) if terms.from_here else (there, local)
    finally:
        reader.close()


def _chosen(context: JobContext, source: Source, terms: Terms) -> Iterator[tuple[str, Iterable[Found]]]:
    """Repositories, with what is chosen of each."""
    choice = terms.choice
    if (name := context.payload.get("repository")) is not None and isinstance(source, Local):
        found = source.found(name, context.payload["digest"])
        chosen = choice.chosen(found) if found else None
        yield name, [chosen] if chosen else []
        return
    for number, name in enumerate(source.repositories(choice.name)):
        if number % _NAMES == 0:
            context.keep_going()
        if choice.repository(name):
            every = (choice.chosen(found) for found in source.artifacts(name, choice))
            yield name, (found for found in every if found is not None)


def _begun(context: JobContext) -> Mapping[str, int]:
    """Repository -> for how many artifacts there are tasks, begun by a run of this one that did not get to its end."""
    with reading():
        copies = select(Task.payload).where(Task.execution_id == context.execution_id, Task.kind == KIND)
        found: dict[str, int] = {}
        for payload in db.session.scalars(copies):
            found[payload["source"]] = found.get(payload["source"], 0) + len(payload["items"])
        return found


def _begin(context: JobContext, terms: Terms, repository: str, target: str, lacking: Sequence[Item]) -> None:
    """The tasks of one repository, all or none."""
    with transaction():
        jobs.lock(Execution.id == context.execution_id)
        execution = db.session.get(Execution, context.execution_id)
        if execution is None or jobs.get_task(execution, context.task_id).status != RUNNING:
            raise Stopped
        for part in (lacking[at : at + _OF_ONE_TASK] for at in range(0, len(lacking), _OF_ONE_TASK)):
            service.add_task(execution, COPY, (repository, target), terms.destination, part)


def run(context: JobContext, checks: Checks) -> dict[str, Any]:
    """Copy or delete some artifacts of one repository.

    Raises:
        Unavailable: one of the ends does not answer; it is tried again, and goes on where it was.
        Failed: something was not taken; the rest is done.
    """
    terms = _terms(context)
    if terms is None:
        return {}
    items, is_deletion = [Item.from_json(said) for said in context.payload["items"]], context.payload["operation"] == DELETION
    with _ends(context, checks, terms) as (source, destination):
        work = _Work(context, terms, source, destination, context.payload["source"], context.payload["target"])
        failed = work.delete(items) if is_deletion else work.copy(items)
    done = len(items) - len(failed)
    outcome = _outcome(items, failed) | ({"deletions": len(items), "deleted": done} if is_deletion else {"equal": done})
    if failed:
        with transaction():
            ended(context, outcome)
        raise Failed(rules.excepted(list(failed.values())))
    return outcome


def _outcome(items: Sequence[Item], failed: Mapping[str, str]) -> dict[str, Any]:
    """`done` and `failed`: (tag or "", digest) of some."""
    named = [(item.digest in failed, (next(iter(item.tags), ""), item.digest)) for item in items]
    return {
        "excepted": list(failed.values())[:_SHOWN],
        "done": [one for is_failed, one in named if not is_failed][:_SHOWN],
        "failed": [one for is_failed, one in named if is_failed][:_SHOWN],
    }


def ended(context: JobContext, outcome: Mapping[str, Any]) -> None:
    """What a task came to is summed up, and told; in the transaction in which it ends."""
    if outcome:
        note(context, outcome)
        telling.ended(context, outcome)


def note(context: JobContext, result: Mapping[str, Any]) -> None:
    """Let the execution sum up what its tasks found; in the transaction in which they end."""

    def summed(said: Mapping[str, Any]) -> dict[str, Any]:
        numbers = {name: said.get(name, 0) + result[name] for name in service.COUNTED if name in result}
        return {**said, **numbers, "excepted": [*said.get("excepted", ()), *result.get("excepted", ())][:_SHOWN]}

    jobs.change(context.execution_id, summed)


@dataclass(frozen=True)
class _Work:
    context: JobContext
    terms: Terms
    source: Source
    destination: Destination
    repository: str
    target: str

    def copy(self, items: Sequence[Item]) -> dict[str, str]:
        """What did not get there, by its digest, and why."""
        pace = Pace(self.context.keep_going, self.terms.speed)
        source, log, chunk = self.source.client, self.context.log, self.terms.chunk
        copier = Copier(source, self.repository, self.destination, self.target, pace, log, chunk)
        before = planning.compare(self.destination, self.target, items, override=True)
        failed = self._each(before.lacking, lambda item: copier.copy(item.digest, item.tags))
        after = planning.compare(self.destination, self.target, items, override=True)
        return {item.digest: f"{self.target}@{item.digest} was changed there meanwhile" for item in after.lacking} | failed

    def delete(self, items: Sequence[Item]) -> dict[str, str]:
        """What is still there, by its digest, and why."""

        def delete(item: Item) -> None:
            for reference in item.tags or (item.digest,):
                self.context.keep_going()
                if why := self.destination.delete(self.target, reference, self.terms.choice):
                    raise BadRequest(why)
                self.context.log(f"deleted {self.target} {reference}")

        return self._each(items, delete)

    def _each(self, items: Sequence[Item], do: Callable[[Item], None]) -> dict[str, str]:
        """Do it to each; digest -> why it was not done. One that is not taken holds up no other."""
        failed: dict[str, str] = {}
        for item in items:
            try:
                do(item)
            except Unavailable:
                raise
            except DomainError as error:
                failed[item.digest] = f"{self.target} {', '.join(item.tags[:3]) or item.digest}: {error.message}"
                self.context.log(failed[item.digest])
        return failed
