"""Indexes of indexes: their sizes, in whatever order they come and go, and however many ways lead from one to another."""

from __future__ import annotations

import hashlib
import random

import pytest
from flask import Flask
from sqlalchemy import select

from authsvc.artifacts import indexes, record
from authsvc.artifacts.models import Artifact
from authsvc.core.db import db, transaction, utcnow
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest
from authsvc.projects import service as projects
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.users import service as users

LEVELS = 70  # more than bits in a number of the database: each holds all before it, so that sizes double with each


def _digest(number: int) -> str:
    return "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()


def _made(number: int) -> Manifest:
    children = tuple(Descriptor(OCI_MANIFEST, _digest(child), 1000) for child in range(number))
    return Manifest(_digest(number), OCI_INDEX if number else OCI_MANIFEST, 1000, manifests=children)


@pytest.fixture
def repository(context: Flask) -> Repository:
    with transaction():
        projects.create("t", users.create("t", username="owner", password=None).id, "web")
        found = repositories.ensure("web/app", utcnow())
    assert found is not None
    return found


def _sizes(repository: Repository) -> dict[str, int]:
    rows = db.session.execute(select(Artifact.digest, Artifact.size).where(Artifact.repository_id == repository.id))
    return {digest: size for digest, size in rows}  # noqa: C416 - rows are no pairs


def _record(repository: Repository, numbers: list[int]) -> None:
    for number in numbers:
        record.artifact(repository, _made(number), {}, utcnow())


@pytest.mark.parametrize("order", ["up", "down", "any"])
def test_each_holds_all_before_it(repository: Repository, order: str) -> None:
    numbers = list(range(LEVELS))
    if order == "any":
        random.Random(1).shuffle(numbers)
    with transaction():
        _record(repository, numbers[::-1] if order == "down" else numbers)
        db.session.flush()
    true = {_digest(number): min(1000 * 2**number, indexes.MOST) for number in range(LEVELS)}
    assert _sizes(repository) == true
    with transaction():
        assert record.forget(repository, _digest(0))
        db.session.flush()
    without = {_digest(number): min(1000 * 2 ** (number - 1), indexes.MOST) for number in range(1, LEVELS)}
    assert _sizes(repository) == without


def test_what_is_claimed_of_layers_that_live_elsewhere_is_bounded(repository: Repository) -> None:
    layers = tuple(
        Descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", _digest(n), 2**44 - 1) for n in range(100)
    )
    with transaction():
        record.artifact(repository, Manifest(_digest(100), OCI_MANIFEST, 1, layers=layers), {}, utcnow())
        db.session.flush()
    assert _sizes(repository) == {_digest(100): indexes.MOST}
