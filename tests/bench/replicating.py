"""How long a replication takes that has nothing to do, and how fast small images are copied; beside it, how fast they are pushed
one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, utcnow
from authsvc.repositories import service as repositories
from authsvc.token.keys import KeyStore
from authsvc.wsgi import Front
from tests.bench.runs import progress
from tests.conftest import new_settings
from tests.replication.conftest import Pair
from tests.support.databases import SqliteDatabases
from tests.support.registry import plain_registry
from tests.support.world import World

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Replicated:
    """So many tags or images in so many seconds; `most`: seconds that are wanted, 0: none are."""

    what: str
    number: int
    seconds: float
    most: float = 0


def replicating(directory: Path, tags: int, images: int) -> Iterator[Replicated]:
    """Compare so many tags, and copy so many images, both ways, by one worker."""
    with _pair(directory) as pair:
        yield from _compared(pair, tags)
        yield from _copied(pair, images)


@contextmanager
def _pair(directory: Path) -> Iterator[Pair]:
    KeyStore(directory / "keys").prepare()
    for name in ("here", "far"):
        (directory / name).mkdir()
    with plain_registry(directory / "here") as here, plain_registry(directory / "far") as far:
        address = here.url.removeprefix("http://")
        make = SqliteDatabases(directory)
        settings = new_settings(make, directory / "keys", directory, registry_address=address, outgoing_allow=("127.0.0.0/8",))
        world = World(Front(settings))
        world.user("admin", sysadmin=True)
        yield Pair(world, here, far)
        world.close()


def _compared(pair: Pair, tags: int) -> Iterator[Replicated]:
    progress(f"comparing {tags} tags")
    names = [f"v{number:05}" for number in range(tags)]
    digest = pair.push(pair.here, pair.repository, names[0])
    pair.far.image(pair.repository, names[0])
    stored = pair.far.client.manifest(pair.repository, digest)
    if stored is None:
        raise RuntimeError("the two registries hold other bytes for the same image")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda tag: pair.far.client.put_manifest(pair.repository, tag, stored.data, stored.media_type), names))
    with pair.world.changes():
        there, artifact = repositories.find(pair.repository), db.session.query(Artifact).one()
        same = {"repository_id": there.id if there else 0, "artifact_id": artifact.id, "push_time": utcnow()}
        db.session.execute(insert(Tag), [same | {"name": name} for name in names[1:]])
    for pull in (False, True):
        policy = pair.policy(pull=pull)
        seconds = _took(lambda policy=policy: _run(pair, policy, 1))  # type: ignore[misc]
        yield Replicated(f"compared, nothing to do, {'from there' if pull else 'to there'}", tags, seconds, 5 * tags / 10_000)


def _copied(pair: Pair, images: int) -> Iterator[Replicated]:
    progress(f"copying {images} images")
    there = f"{pair.project}-small"

    def push() -> None:
        for number in range(images):
            pair.far.image(f"{there}/app", f"v{number}", content=f"{number}")

    yield Replicated("pushed to a plain registry, one after the other", images, _took(push))
    small = [{"type": "name", "value": f"{there}/**"}]
    for pull, changes in ((True, {}), (False, {"dest_namespace": f"{pair.project}-back", "dest_namespace_replace_count": 1})):
        policy = pair.policy(pull=pull, filters=small, **changes)
        seconds = _took(lambda policy=policy: _run(pair, policy, images))  # type: ignore[misc]
        yield Replicated(f"copied {'from there' if pull else 'to there'}", images, seconds)


def _run(pair: Pair, policy: int, artifacts: int) -> None:
    said = pair.run(policy)
    if said["status"] != "Succeed" or not said["status_text"].startswith(f"{artifacts} of {artifacts} "):
        raise RuntimeError(f"not all is equal: {said}")


def _took(what: Callable[[], None]) -> float:
    begun = time.monotonic()
    what()
    return time.monotonic() - begun


def table(rows: Sequence[Replicated]) -> str:
    """As Markdown."""
    lines = ["| what | number | seconds | each second | aim |", "| --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        aim = f"{row.most:g} s: {'met' if row.seconds <= row.most else 'MISSED'}" if row.most else ""
        lines.append(f"| {row.what} | {row.number} | {row.seconds:.1f} | {row.number / row.seconds:.0f} | {aim} |")
    return "\n".join(lines)
