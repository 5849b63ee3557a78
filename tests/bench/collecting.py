"""How fast garbage is collected, from a directory and from a bucket; beside it, how fast the same files are removed and nothing else
is done."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from authsvc.distribution.directory import Directory
from authsvc.token.keys import KeyStore
from tests.bench.runs import progress
from tests.conftest import new_settings
from tests.gc.conftest import Yard, yard_on
from tests.support.databases import SqliteDatabases
from tests.support.s3 import BUCKET, s3

WORKERS = (1, 4)
_BYTES = b"x" * 100  # of each blob: deleting costs by the file


@dataclass(frozen=True, slots=True)
class Collected:
    """Blobs/s; `workers`: 0 for removing files and nothing else."""

    where: str
    workers: int
    per_second: float
    aim: float


def collecting(directory: Path, in_directory: int, in_bucket: int) -> Iterator[Collected]:
    """Collect so many blobs that nothing needs, again for each number of workers."""
    # It would make the registry read authorities that are not there.
    os.environ.pop("AWS_CA_BUNDLE", None)
    KeyStore(directory / "keys").prepare()
    make = partial(new_settings, SqliteDatabases(directory), directory / "keys")
    yield from _directory(directory / "files", make, in_directory)
    yield from _bucket(directory / "objects", make, in_bucket)


def _directory(directory: Path, make: Callable[..., Any], blobs: int) -> Iterator[Collected]:
    root = directory / "storage"
    root.mkdir(parents=True)
    files = [Directory(root).file(digest) for digest in _digests(blobs)]

    def fill() -> None:
        for file in files:
            file.parent.mkdir(parents=True)
            file.write_bytes(_BYTES)

    settings = partial(make, directory, registry_storage=root, gc_grace_seconds=0)
    with yard_on(settings, directory, {"filesystem": {"rootdirectory": str(root)}}) as yard:
        fill()
        with _clock(blobs) as rate:
            for file in files:
                shutil.rmtree(file.parent.rename(root / uuid4().hex))
        yield Collected("directory", 0, rate[0], 0)
        for workers in WORKERS:
            fill()
            yield Collected("directory", workers, _collect(yard, workers, blobs), 1000)


def _bucket(directory: Path, make: Callable[..., Any], blobs: int) -> Iterator[Collected]:
    directory.mkdir()
    with s3(directory) as store:
        parameters = {"s3": store.parameters | {"rootdirectory": "/registry"}}
        file = store.described(directory, **parameters)
        place = Directory(Path("/registry"))
        with yard_on(partial(make, directory, registry_storage_file=file, gc_grace_seconds=0), directory, parameters) as yard:
            with requests.Session() as session:
                for digest in _digests(blobs):
                    session.put(f"{store.url}/{BUCKET}{place.file(digest)}", data=_BYTES, timeout=30).raise_for_status()
            yield Collected("bucket", 1, _collect(yard, 1, blobs), 100)


def _digests(number: int) -> list[str]:
    return [f"sha256:{hashlib.sha256(str(one).encode()).hexdigest()}" for one in range(number)]


def _collect(yard: Yard, workers: int, blobs: int) -> float:
    progress(f"collecting {blobs} blobs with {workers} at a time")
    with _clock(blobs) as rate:
        run = yard.collect(workers=workers)
    if json.loads(run["job_parameters"]).get("purged_blobs", 0) < blobs:
        raise RuntimeError(f"not all was deleted: {run['log']}")
    return rate[0]


@contextmanager
def _clock(blobs: int) -> Iterator[list[float]]:
    rate: list[float] = []
    begun = time.monotonic()
    yield rate
    rate.append(blobs / (time.monotonic() - begun))


def table(rows: Sequence[Collected]) -> str:
    """As Markdown; files that are only removed are what a directory is compared with."""
    bare = next(row.per_second for row in rows if not row.workers)
    lines = ["| where | workers | blobs/s | of removing alone | aim |", "| --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        ratio = f"{row.per_second / bare:.2f}" if row.where == "directory" else ""
        aim = f"{row.aim:.0f}: {'met' if row.per_second >= row.aim else 'MISSED'}" if row.aim else ""
        lines.append(f"| {row.where} | {row.workers or 'none'} | {row.per_second:.0f} | {ratio} | {aim} |")
    return "\n".join(lines)
