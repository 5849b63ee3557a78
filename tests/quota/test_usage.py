"""What projects store, against a model: whatever is pushed, mounted, copied, tagged and deleted, the number is right, and so
are the sizes of indexes. No commit, one transaction for each run: what it is about is arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from authsvc.artifacts import record, usage
from authsvc.artifacts.models import Artifact
from authsvc.core.db import db, transaction, utcnow
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST, Manifest, parse
from authsvc.projects import service as projects
from authsvc.projects.models import StorageUsage
from authsvc.repositories import service as repositories
from authsvc.users import service as users
from tests.support.rounds import rounds

STEPS = rounds(300, 10_000)
REPOSITORIES = ["one/a", "one/b", "two/a"]
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def descriptor(number: int, media_type: str = "application/octet-stream") -> dict[str, object]:
    digest = "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()
    return {"mediaType": media_type, "digest": digest, "size": 10**number}


# Blobs 0 to 7 are 1, 10, 100 ... bytes, so that a wrong sum shows which one is wrong.
def image(config: int, layers: list[int], *, foreign: bool = False) -> Manifest:
    last = [descriptor(12, FOREIGN)] if foreign else []
    document = {"schemaVersion": 2, "config": descriptor(config), "layers": [*map(descriptor, layers), *last]}
    return parse(json.dumps(document).encode(), OCI_MANIFEST)


def index(children: list[Manifest]) -> Manifest:
    manifests = [{"mediaType": child.media_type, "digest": child.digest, "size": child.size} for child in children]
    return parse(json.dumps({"schemaVersion": 2, "manifests": manifests}).encode(), OCI_INDEX)


chance = random.Random(7)
IMAGES = [
    image(chance.randrange(8), chance.choices(range(8), k=chance.randrange(4)), foreign=not chance.randrange(4))
    for _ in range(12)
]
INDEXES = [index(chance.sample(IMAGES, k=chance.randrange(1, 4))) for _ in range(4)]
MANIFESTS = {one.digest: one for one in (*IMAGES, *INDEXES, index([INDEXES[0], IMAGES[0]]))}

somewhere = st.sampled_from(REPOSITORIES)
something = st.sampled_from(sorted(MANIFESTS))


class Usage(RuleBasedStateMachine):
    """The model is which manifest is in which repository; everything else follows from it. `steps` were made by all of them."""

    steps = 0

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.context = app.app_context()
        self.context.push()
        owner = users.create("t", username="owner", password=None).id
        self.projects = {name: projects.create("t", owner, name).id for name in ("one", "two")}
        self.held: dict[str, set[str]] = {name: set() for name in REPOSITORIES}
        self.tags: dict[tuple[str, str], str] = {}
        self.names: dict[int, str] = {}  # of repositories, by id

    def teardown(self) -> None:
        """The count from all rows agrees with the number that was kept, and with the model."""
        try:
            for project, project_id in self.projects.items():
                assert usage.measure(project_id) == usage.used(project_id) == self.stored(project)
        finally:
            db.session.rollback()
            self.context.pop()

    def push(self, name: str, digest: str) -> Artifact:
        repository = repositories.ensure(name, utcnow())
        assert repository is not None
        self.held[name].add(digest)
        self.names[repository.id] = name
        return record.artifact(repository, MANIFESTS[digest], {}, utcnow())

    @rule(name=somewhere, digest=something, tag=st.sampled_from(["v1", "v2", None]))
    def pushes(self, name: str, digest: str, tag: str | None) -> None:
        """New or known, tagged or not, children first or last."""
        artifact = self.push(name, digest)
        if tag:
            repository = repositories.find(name)
            assert repository is not None
            record.tag(repository, tag, artifact, utcnow())
            self.tags[name, tag] = digest

    @rule(source=somewhere, to=somewhere, which=st.randoms(use_true_random=False))
    def copies(self, source: str, to: str, which: random.Random) -> None:
        """With all its blobs mounted; an index with its children."""
        if self.held[source]:
            digest = which.choice(sorted(self.held[source]))
            for child in MANIFESTS[digest].manifests:
                self.push(to, child.digest)
            self.push(to, digest)

    @rule(name=somewhere, which=st.randoms(use_true_random=False))
    def deletes(self, name: str, which: random.Random) -> None:
        """Also what an index holds, as the registry lets clients do."""
        repository = repositories.find(name)
        if repository is None:
            return
        digest = which.choice(sorted(MANIFESTS))
        assert record.forget(repository, digest) is (digest in self.held[name])
        self.held[name].discard(digest)
        self.tags = {key: tagged for key, tagged in self.tags.items() if key[0] != name or tagged != digest}

    @rule(name=somewhere, tag=st.sampled_from(["v1", "v2"]))
    def untags(self, name: str, tag: str) -> None:
        repository = repositories.find(name)
        if repository is not None:
            assert record.untag(repository, tag) is (self.tags.pop((name, tag), None) is not None)

    @rule(name=somewhere)
    def empties(self, name: str) -> None:
        repository = repositories.find(name)
        for digest in self.held[name]:
            assert repository is not None
            record.forget(repository, digest)
        self.held[name].clear()
        self.tags = {key: tagged for key, tagged in self.tags.items() if key[0] != name}

    def stored(self, project: str) -> int:
        """The sum of the project's distinct blobs."""
        needed = {digest for name, held in self.held.items() if name.startswith(f"{project}/") for digest in held}
        return sum({blob.digest: blob.size for digest in needed for blob in MANIFESTS[digest].stored}.values())

    @invariant()
    def usage_is_the_sum_of_distinct_blobs(self) -> None:
        Usage.steps += 1
        used = {row.project_id: row.bytes for row in db.session.execute(select(StorageUsage.project_id, StorageUsage.bytes))}
        for project, project_id in self.projects.items():
            assert used.get(project_id, 0) == self.stored(project)

    @invariant()
    def an_index_is_as_large_as_itself_and_its_children(self) -> None:
        rows = db.session.execute(select(Artifact.repository_id, Artifact.digest, Artifact.size)).all()
        assert len(rows) == sum(len(held) for held in self.held.values())
        for repository_id, digest, size in rows:
            assert size == self.size(self.names[repository_id], digest)

    def size(self, name: str, digest: str) -> int:
        manifest = MANIFESTS[digest]
        children = {child.digest for child in manifest.manifests} & self.held[name]
        return manifest.size + sum(blob.size for blob in manifest.blobs) + sum(self.size(name, child) for child in children)


def run(app: Flask, examples: int, steps: int) -> None:
    checks = list(HealthCheck)
    bounds = hypothesis_settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=checks)
    run_state_machine_as_test(partial(Usage, app), settings=bounds)  # type: ignore[arg-type] # it takes what makes one, too


def test_usage_never_drifts(app: Flask) -> None:
    run(app, 8, 40)


@pytest.mark.slow
def test_usage_never_drifts_over_many_steps(app: Flask) -> None:
    """Long runs, in which much comes together. A step is followed by a comparison of everything."""
    until = Usage.steps + STEPS
    while (left := until - Usage.steps) > 0:  # some runs end early
        run(app, left // 200 + 1, 200)


def test_correct_mends_and_says_what_was_wrong(app: Flask) -> None:
    with app.app_context(), transaction():
        project = projects.create("t", users.create("t", username="owner", password=None).id, "one")
        repository = repositories.ensure("one/a", utcnow())
        assert repository is not None
        record.artifact(repository, IMAGES[0], {}, utcnow())
        right = usage.used(project.id)
        assert usage.correct(project.id) == 0
        usage._lock(project.id).bytes = right + 5
        assert (usage.correct(project.id), usage.used(project.id)) == (5, right)
        usage._lock(project.id).bytes = 0
        assert (usage.correct(project.id), usage.used(project.id)) == (-right, right)


def test_who_records_at_the_same_time_counts_once(app: Flask) -> None:
    """Eight at once, each in a repository of its own and half of them in each project, with blobs that all share."""
    with app.app_context(), transaction():
        owner = users.create("t", username="owner", password=None).id
        ids = {name: projects.create("t", owner, name).id for name in ("one", "two")}

    def record_all(number: int) -> None:
        name = f"{('one', 'two')[number % 2]}/r{number}"
        for manifest in random.Random(number).sample(IMAGES, k=len(IMAGES)):
            with app.app_context(), transaction():
                repository = repositories.ensure(name, utcnow())
                assert repository is not None
                record.artifact(repository, manifest, {}, utcnow())
        for manifest in IMAGES[:6]:
            with app.app_context(), transaction():
                repository = repositories.lock(name)
                assert repository is not None
                record.forget(repository, manifest.digest)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record_all, range(8)))
    left = {blob.digest: blob.size for manifest in IMAGES[6:] for blob in manifest.stored}
    with app.app_context():
        for project_id in ids.values():
            assert usage.used(project_id) == usage.measure(project_id) == sum(left.values())
        db.session.rollback()
