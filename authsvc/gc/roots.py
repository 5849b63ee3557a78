"""What is needed although the index does not say so: by manifests of repositories that are of no project, by those that were not
recorded yet, by our own marker. Whatever such a manifest mentions stays, whatever kind of manifest it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import select

from authsvc.artifacts.models import Artifact
from authsvc.core.db import db, reading
from authsvc.distribution.storage import Storage
from authsvc.repositories.models import Repository

_LARGEST = 4 * 1024 * 1024  # bytes of a manifest that a registry takes
_DIGEST = re.compile(rb"[a-z0-9]+:[0-9a-f]{64,128}")


def unindexed(storage: Storage, keep_going: Callable[[], None]) -> set[str]:
    """Digests of manifests that the registry has and the index has not, and of all that they mention.

    Raises:
        Unavailable: the storage does not answer.
    """
    needed: set[str] = set()
    for repository, digests in storage.all_manifests():
        keep_going()
        with reading():
            here = select(Artifact.digest).join(Repository, Repository.id == Artifact.repository_id)
            known = set(db.session.scalars(here.where(Repository.name == repository)))
        for digest in digests - known:
            found = _DIGEST.findall(storage.content(digest, _LARGEST) or b"")
            needed |= {digest, *(one.decode() for one in found)}
    return needed
