"""Writes of manifests: held, checked, written down, forwarded, recorded. See docs/adr/0006-manifest-writes.md.

Between any two steps the process may die. Before the registry was asked, nothing has happened; after that, the journal says
that something may have, and whoever comes next looks.
"""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.artifacts import condemned, journal, record, removal, settling
from authsvc.artifacts.intake import describe, store
from authsvc.artifacts.models import Intent
from authsvc.artifacts.sizes import measured
from authsvc.authn.snapshot import Snapshot
from authsvc.core import names
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import Unavailable
from authsvc.core.failpoints import failpoint
from authsvc.distribution.client import Refused as RefusedByRegistry
from authsvc.distribution.client import RegistryClient, Unreadable
from authsvc.distribution.directory import ELSEWHERE, Directory
from authsvc.distribution.manifest import Manifest
from authsvc.gate import decisions
from authsvc.gate.asked import Asked
from authsvc.gate.callers import Caller
from authsvc.gate.checks import Checks, ManifestWrite, Refusal, Refused
from authsvc.rbac.principal import ProjectRef
from authsvc.repositories import service as repositories


@dataclass(frozen=True, slots=True)
class Writer:
    """What a write needs: the registry, as its only writer, the checks in their order, and the storage where it can be seen."""

    client: RegistryClient
    checks: Checks
    storage: Directory = ELSEWHERE

    def put(self, caller: Caller, asked: Asked, project: ProjectRef, snapshot: Snapshot, manifest: Manifest, data: bytes) -> None:
        """Store a manifest under a tag or digest.

        Raises:
            Refused: by a check.
            RefusedByRegistry: it will not have it, say because a blob is missing.
            Unavailable: the registry does not answer, or somebody else does not get done with the same tag.
        """
        manifest = measured(self.client, asked.repository, manifest)
        intent_id = self._let_in(caller, asked, project, snapshot, manifest)
        _rescue(manifest, intent_id)
        try:
            self._store(asked, manifest, data)
            failpoint("forwarded")
            fetched = describe(self.client, asked.repository, manifest)
            with transaction():
                intent = journal.finish(intent_id)
                store(asked.repository, fetched, asked.reference if names.is_tag(asked.reference) else None, utcnow())
                journal.note(intent, "create")
                db.session.flush()
                failpoint("recording")
        except RefusedByRegistry:
            with transaction():
                journal.end(intent_id)
            raise
        except Unavailable:  # perhaps it is done, and only the answer or our record of it was lost
            if not settling.unknown(self.client, intent_id):
                raise
        except Exception:  # a mistake of ours: whoever comes next looks at what is there, and says so where it cannot be recorded
            journal.give_up(intent_id)
            raise
        failpoint("recorded")

    def _store(self, asked: Asked, manifest: Manifest, data: bytes) -> None:
        """Put it, and read it back: what a killed registry or a full disk has cut off, the registry takes for stored.

        Raises:
            RefusedByRegistry
            Unavailable
        """
        self.client.put_manifest(asked.repository, asked.reference, data, manifest.media_type)
        try:
            self.client.manifest(asked.repository, manifest.digest)
        except Unreadable:
            if not self.storage.set_aside(manifest.digest):
                raise
            self.client.put_manifest(asked.repository, asked.reference, data, manifest.media_type)
            self.client.manifest(asked.repository, manifest.digest)

    def delete(self, caller: Caller, asked: Asked, project: ProjectRef, snapshot: Snapshot) -> None:
        """Delete one tag, or a manifest with all its tags and what goes with it.

        Raises:
            Refused: by a check, or there is no such manifest.
            PreconditionFailed: an index needs it.
            Unavailable
        """
        failpoint("asked")

        def approve(intent: Intent, displaces: tuple[str, ...]) -> None:
            self._ask(intent, displaces, caller, asked, project, snapshot, None)

        if not removal.delete(self.client, _write(caller, asked, project, None), approve):
            message = f"{asked.repository} has no manifest {asked.reference}"
            raise Refused(Refusal(404, "MANIFEST_UNKNOWN", message, "registry API"))

    def _let_in(self, caller: Caller, asked: Asked, project: ProjectRef, snapshot: Snapshot, manifest: Manifest) -> int:
        failpoint("asked")

        def open_() -> int:
            intent = journal.begin(_write(caller, asked, project, manifest))
            journal.hold(intent, *(child.digest for child in manifest.manifests))
            self._ask(intent, displaced(asked), caller, asked, project, snapshot, manifest)
            return intent.id

        intent_id = settling.enter(self.client, open_)
        failpoint("let-in")
        return intent_id

    def _ask(
        self,
        intent: Intent,
        displaces: tuple[str, ...],
        caller: Caller,
        asked: Asked,
        project: ProjectRef,
        snapshot: Snapshot,
        manifest: Manifest | None,
    ) -> None:
        """Ask the checks, and note that they let it in.

        Raises:
            Refused
        """
        question = ManifestWrite(
            principal=caller.principal,
            project=project,
            repository=asked.repository,
            reference=asked.reference,
            method="PUT" if manifest else "DELETE",
            manifest=manifest,
            displaces=displaces,
            in_flight=journal.in_flight(project.id),
            configured=snapshot.configured,
        )
        try:
            intent.reserved = self.checks.write(question)
        except Refused as refused:
            refused.facts = decisions.facts(question)
            raise
        db.session.add(decisions.decision(decisions.new_id(), caller, asked, project.id, None, decisions.facts(question)))


def _rescue(manifest: Manifest, intent_id: int) -> None:
    """What a manifest needs stays, once the intent says that it comes, and before the registry is asked for it."""
    try:
        condemned.rescue([blob.digest for blob in manifest.stored])
    except BaseException:
        with transaction():
            journal.end(intent_id)
        raise


def _write(caller: Caller, asked: Asked, project: ProjectRef, manifest: Manifest | None) -> journal.Write:
    return journal.Write(
        project_id=project.id,
        repository=asked.repository,
        method=asked.method,
        reference=asked.reference,
        digest=manifest.digest if manifest else "",
        username=caller.principal.name,
    )


def displaced(asked: Asked) -> tuple[str, ...]:
    """The tag that is put, if it exists."""
    repository = repositories.find(asked.repository) if names.is_tag(asked.reference) else None
    return (asked.reference,) if repository and record.find_tag(repository, asked.reference) else ()
