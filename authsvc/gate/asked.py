"""What a request below `/v2/` asks for, from its method and raw path; read exactly as the registry routes it. Pure.

Source: OCI distribution spec 1.1, "Endpoints", and distribution's HTTP API V2. Anything else is no request to a registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs

from authsvc.core.names import is_digest, is_repository, is_tag, project_of
from authsvc.gate.checks import Refusal, Refused

_MAX_LENGTH = 4096
# No name, tag, digest or upload needs more; what could be decoded or folded is read differently by different programs.
_PLAIN = re.compile(r"/v2/[A-Za-z0-9._+=:@/-]*", re.ASCII)
_UPLOAD = re.compile(r"[A-Za-z0-9_.=-]+", re.ASCII)
_ACTIONS = {
    "GET": ("pull",),
    "HEAD": ("pull",),
    "POST": ("pull", "push"),
    "PUT": ("pull", "push"),
    "PATCH": ("pull", "push"),
    "DELETE": ("delete",),
}


class Kind(StrEnum):
    """What a path is of."""

    BASE = "base"
    CATALOG = "catalog"
    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOAD = "upload"
    TAGS = "tags"
    REFERRERS = "referrers"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `reference`: the tag, digest or upload; `source` and `digest`: of a mount, or of an upload's end."""

    method: str
    kind: Kind
    repository: str = ""
    reference: str = ""
    source: str = ""
    digest: str = ""

    @property
    def is_cancel(self) -> bool:
        """It gives up an upload."""
        return self.kind is Kind.UPLOAD and self.method == "DELETE" and bool(self.reference)

    @property
    def is_content(self) -> bool:
        """It reads a manifest or a blob."""
        return self.kind in (Kind.MANIFEST, Kind.BLOB) and self.method in ("GET", "HEAD")

    @property
    def pushed(self) -> str:
        """The digest of a blob that is asked for in order to push: whether it is there, or to be mounted, or at the end of its
        upload. Who pulls does not ask before."""
        if self.kind is Kind.BLOB and self.method == "HEAD":
            return self.reference
        return self.digest if self.kind is Kind.UPLOAD and self.method in ("POST", "PUT") else ""

    @property
    def actions(self) -> tuple[str, ...]:
        """What it needs on its repository. Whoever may upload may give up."""
        return _ACTIONS["PATCH" if self.is_cancel else self.method]

    @property
    def project(self) -> str:
        """The project's name."""
        return project_of(self.repository)

    def needs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(repository, actions) pairs that all must be held; none for the base."""
        if self.repository:
            yield self.repository, self.actions
        if self.source:
            yield self.source, ("pull",)

    def forwarded(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The (repository, actions) pairs that the registry wants to see in a token: to give up an upload, it wants the right
        to delete, which takes away what others have pushed."""
        return ((self.repository, _ACTIONS["DELETE"]),) if self.is_cancel else tuple(self.needs())

    @property
    def scope(self) -> str:
        """What it needs, as a challenge says it: one value, scopes separated by spaces."""
        return self.scope_without("")

    def scope_without(self, project: str) -> str:
        """The same, of repositories by their names within a project; "": by their whole names."""
        if self.kind is Kind.CATALOG:
            return "registry:catalog:*"
        before = f"{project}/" if project else ""
        return " ".join(f"repository:{name.removeprefix(before)}:{','.join(actions)}" for name, actions in self.needs())


def parse(method: str, uri: str) -> Asked:
    """Parse a method and a raw path with its query.

    Raises:
        Refused: no request to a registry, or with a name that none of ours has.
    """
    path, _, query = uri.partition("?")
    if method not in _ACTIONS:
        raise Refused(Refusal(405, "UNSUPPORTED", "the registry does not know this method", "registry API"))
    if path in ("/v2", "/v2/"):
        return Asked(method, Kind.BASE)
    if path == "/v2/_catalog":
        return Asked(method, Kind.CATALOG)
    if len(uri) > _MAX_LENGTH or _PLAIN.fullmatch(path) is None:
        raise _invalid("the path holds a character that no repository, tag or digest has, or is too long")
    name, kind, reference = _split(path.removeprefix("/v2/").split("/"))
    if not is_repository(name):
        raise _invalid(f"{name[:255]} is no repository name: lower case, project/name, at most 255 characters")
    _check_reference(kind, reference)
    source, digest = _of_query(query) if kind is Kind.UPLOAD else ("", "")
    return Asked(method, kind, name, reference, source if method == "POST" else "", digest)


def _split(parts: list[str]) -> tuple[str, Kind, str]:
    match parts:
        case [*name, "manifests", reference]:
            return "/".join(name), Kind.MANIFEST, reference
        case [*name, "blobs", "uploads"]:
            return "/".join(name), Kind.UPLOAD, ""
        case [*name, "blobs", "uploads", reference]:
            return "/".join(name), Kind.UPLOAD, reference
        case [*name, "blobs", reference]:
            return "/".join(name), Kind.BLOB, reference
        case [*name, "tags", "list"]:
            return "/".join(name), Kind.TAGS, ""
        case [*name, "referrers", reference]:
            return "/".join(name), Kind.REFERRERS, reference
    raise Refused(Refusal(404, "NOT_FOUND", "there is nothing at this path of the registry API", "registry API"))


def _check_reference(kind: Kind, reference: str) -> None:
    match kind:
        case Kind.MANIFEST if ":" in reference and not is_digest(reference):
            raise Refused(Refusal(400, "DIGEST_INVALID", f"{reference[:150]} is no digest", "registry API"))
        case Kind.MANIFEST if not (is_tag(reference) or is_digest(reference)):
            raise Refused(Refusal(404, "MANIFEST_UNKNOWN", f"{reference[:150]} is neither a tag nor a digest", "registry API"))
        case Kind.BLOB | Kind.REFERRERS if not is_digest(reference):
            raise Refused(Refusal(400, "DIGEST_INVALID", f"{reference[:150]} is no digest", "registry API"))
        case Kind.UPLOAD if reference and _UPLOAD.fullmatch(reference) is None:
            raise Refused(Refusal(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload", "registry API"))


def _of_query(query: str) -> tuple[str, str]:
    """The source of a mount, and the digest that is to be mounted or that an upload ends with."""
    if not query:
        return "", ""
    try:
        values = parse_qs(query, errors="strict", max_num_fields=20)
    except ValueError:
        raise _invalid("the query cannot be read") from None
    if any(len(values.get(name, ())) > 1 for name in ("mount", "from", "digest")):
        raise _invalid("mount, from or digest is given twice")
    mount, source, digest = (values.get(name, [""])[0] for name in ("mount", "from", "digest"))
    if source and not is_repository(source):
        raise _invalid(f"{source[:255]} is no repository name: lower case, project/name, at most 255 characters")
    return (source if mount else ""), mount or digest


def _invalid(message: str) -> Refused:
    return Refused(Refusal(400, "NAME_INVALID", message, "registry API"))
