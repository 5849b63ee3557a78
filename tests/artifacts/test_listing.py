"""What stands with an artifact and what follows from tags, children and accessories agree, whatever was pushed, tagged and deleted."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update

from authsvc.artifacts import listing, record, rules
from authsvc.artifacts.models import Artifact
from authsvc.core.db import db, transaction, utcnow
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST, Manifest, parse
from authsvc.projects import service as projects
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.users import service as users
from tests.quota.test_usage import descriptor, image, index
from tests.support.rounds import rounds

REPOSITORIES = ["one/a", "one/b"]


def _parsed(media_type: str, **document: Any) -> Manifest:
    return parse(json.dumps({"schemaVersion": 2, **document}).encode(), media_type)


def _subject(manifest: Manifest) -> dict[str, Any]:
    return {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}


IMAGES = [image(0, [1]), image(2, [3]), image(4, [5])]
INDEXES = [index(IMAGES[:2]), index(IMAGES[1:])]
OUTER = index([INDEXES[0], IMAGES[2]])
ATTACHED = [
    _parsed(OCI_MANIFEST, config=descriptor(6), layers=[], artifactType="application/x", subject=_subject(one))
    for one in (IMAGES[0], INDEXES[1])
]
SIGNATURE = _parsed(OCI_MANIFEST, config=descriptor(7), layers=[descriptor(1, rules.SIMPLE_SIGNING)])
REFERRERS = _parsed(OCI_INDEX, manifests=[_subject(one) for one in ATTACHED])
MANIFESTS = {one.digest: one for one in (*IMAGES, *INDEXES, OUTER, *ATTACHED, SIGNATURE, REFERRERS)}
TAGS = ["v1", "v2", rules.fallback_tag(IMAGES[0].digest), f"{rules.fallback_tag(IMAGES[1].digest)}.sig"]

somewhere = st.sampled_from(REPOSITORIES)
something = st.sampled_from(sorted(MANIFESTS))
called = st.sampled_from(TAGS)


class Listing(RuleBasedStateMachine):
    """One transaction for each run."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.context = app.app_context()
        self.context.push()
        projects.create("t", users.create("t", username="owner", password=None).id, "one")
        self.repositories = {name: made for name in REPOSITORIES if (made := repositories.ensure(name, utcnow()))}

    def teardown(self) -> None:
        db.session.rollback()
        self.context.pop()

    @rule(name=somewhere, digest=something, tag=called | st.none())
    def pushes(self, name: str, digest: str, tag: str | None) -> None:
        artifact = record.artifact(self.repositories[name], MANIFESTS[digest], {}, utcnow())
        if tag:
            record.tag(self.repositories[name], tag, artifact, utcnow())

    @rule(name=somewhere, digest=something)
    def deletes(self, name: str, digest: str) -> None:
        record.forget(self.repositories[name], digest)

    @rule(name=somewhere, tag=called)
    def untags(self, name: str, tag: str) -> None:
        record.untag(self.repositories[name], tag)

    @invariant()
    def both_agree(self) -> None:
        columns: Any = (Artifact.digest, Artifact.listed, Artifact.tagged, listing.is_shown(), listing.is_tagged())
        for digest, listed, tagged, shown, has_tag in db.session.execute(select(*columns)):
            assert (listed, tagged) == (bool(shown), bool(has_tag)), MANIFESTS[digest]


def run(app: Flask, examples: int, steps: int) -> None:
    checks = list(HealthCheck)
    bounds = hypothesis_settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=checks)
    run_state_machine_as_test(partial(Listing, app), settings=bounds)  # type: ignore[arg-type] # it takes what makes one, too


def test_lists_never_drift(app: Flask) -> None:
    run(app, 10, 40)


@pytest.mark.slow
def test_lists_never_drift_over_many_steps(app: Flask) -> None:
    run(app, rounds(2, 50), 200)


def test_what_drifted_is_mended(app: Flask) -> None:
    with app.app_context(), transaction():
        projects.create("t", users.create("t", username="owner", password=None).id, "one")
        repository = repositories.ensure("one/a", utcnow())
        assert repository is not None
        *_, newest = [record.artifact(repository, one, {}, utcnow()) for one in (*IMAGES[:2], INDEXES[0])]
        record.tag(repository, "v1", newest, utcnow())
        assert _listed(repository) == {INDEXES[0].digest}
        assert listing.correct(repository) == 0
        for drift in ({"listed": ~Artifact.listed}, {"tagged": ~Artifact.tagged}):
            db.session.execute(update(Artifact).values(drift))
            db.session.expire_all()
            assert listing.correct(repository) == 3
            assert _listed(repository) == {INDEXES[0].digest}
            assert list(db.session.scalars(select(Artifact.id).where(Artifact.tagged))) == [newest.id]


def _listed(repository: Repository) -> set[str]:
    chosen = select(Artifact.digest).where(Artifact.repository_id == repository.id, listing.is_listed())
    return set(db.session.scalars(chosen))
