"""Canonical names, one function each, shared by token endpoint, gate, API, webhook and reconciler.

Grammar: OCI distribution spec 1.1, "Pulling manifests" (`<name>`, `<reference>`), narrowed to what both registry 2.8
and 3 store safely: lower case, at least project and repository, at most 255 characters, no path word of the
distribution API where it would make a URL ambiguous. Names are compared byte for byte.
"""

import re
from functools import lru_cache

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})+", re.ASCII)
_PROJECT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
# Inside a name these read as an operation of the distribution API: /v2/p/manifests/v1/blobs/...
_RESERVED = frozenset({"manifests", "blobs", "tags", "referrers"})
MAX_NAME = 255
# Subjects of our own processes. No user name can hold a colon, so nobody can be taken for one of them.
INTERNAL_PREFIX = "tidegate:"
MARKER = "tidegate-marker"  # what we know the storage by (`artifacts.marker`): in no project, so nobody has a right to it


def is_repository(name: str) -> bool:
    """True for a full repository name, `project/repo` with any depth."""
    return len(name) <= MAX_NAME and _is_repository(name)


@lru_cache(maxsize=8192)  # each token and each look at the gate asks about one of those that are in use
def _is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None and _RESERVED.isdisjoint(name.split("/")[1:-1])


def is_project(name: str) -> bool:
    """True for a project name: Harbor's rule, `^[a-z0-9]+(?:[._-][a-z0-9]+)*$`, at most 255 characters."""
    return len(name) <= MAX_NAME and _PROJECT.fullmatch(name) is not None


def is_tag(name: str) -> bool:
    """True for a tag: at most 128 characters, first a word character."""
    return _TAG.fullmatch(name) is not None


def is_digest(text: str) -> bool:
    """True for a sha256 or sha512 digest in lower-case hex."""
    return _DIGEST.fullmatch(text) is not None


def project_of(repository: str) -> str:
    """The project's name: the first component of a repository's full name."""
    return repository.partition("/")[0]
