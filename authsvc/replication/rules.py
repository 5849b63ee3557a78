"""What a replication policy chooses, and what it is called where it goes. Source: Harbor's filters and its `dest_namespace`
with `dest_namespace_replace_count`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from authsvc.core import names, patterns
from authsvc.core.errors import BadRequest
from authsvc.core.patterns import BadPattern, Selector
from authsvc.core.selectors import TAG

MANUAL, SCHEDULED, EVENT_BASED = "manual", "scheduled", "event_based"
TRIGGERS = (MANUAL, SCHEDULED, EVENT_BASED)
NAME, TAGS, LABEL, RESOURCE = "name", "tag", "label", "resource"
IMAGE, ARTIFACT = "image", "artifact"
ALL_LEVELS = -1  # of a repository's name but its last; Harbor's legacy mode, and its default
MOST_LEVELS = 100
_MAX_LABELS = 100
_LONGEST_LABEL = 128


@dataclass(frozen=True, slots=True)
class Found:
    """An artifact where it comes from. `tags`: those that come into question; `type`: Harbor's, "" if it is not known before it
    is read. `attached`: what belongs to it, and goes with it (signatures, and what is attached to these)."""

    digest: str
    tags: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    type: str = ""
    attached: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a policy's filters choose. `name`: a pattern for whole repository names, "" for all; `tags`: None for all, those
    without any included; `images`: nothing but images."""

    name: str = ""
    tags: Selector | None = None
    labels: frozenset[str] = field(default=frozenset())
    without_labels: bool = False
    images: bool = False

    def repository(self, name: str) -> bool:
        """Whether it looks at a repository at all."""
        return patterns.matches(self.name, name)

    def tag(self, name: str) -> bool:
        """Whether a tag is chosen."""
        return self.tags is None or self.tags.selects(name)

    def chosen(self, found: Found) -> Found | None:
        """What of an artifact is chosen, with the tags that are; None: nothing."""
        tags = tuple(tag for tag in found.tags if self.tag(tag))
        if self.tags is not None and not tags:
            return None
        if self.labels and (self.labels <= found.labels) is self.without_labels:
            return None
        return replace(found, tags=tags) if not self.images or found.type in ("IMAGE", "") else None


@dataclass(frozen=True, slots=True)
class Naming:
    """What a repository is called where it goes: the first `levels` components of its name are replaced by `namespace`; without
    a namespace it is called as it is."""

    namespace: str = ""
    levels: int = ALL_LEVELS

    def of(self, repository: str) -> str:
        """
        Raises:
            BadRequest: it has fewer levels than are to be replaced, or the name would be none.
        """
        if not self.namespace:
            return repository
        parts = repository.split("/")
        levels = len(parts) - 1 if self.levels == ALL_LEVELS else self.levels
        if levels > len(parts) - 1:
            raise BadRequest(f"{repository} has not the {levels} levels that {self.namespace} is to replace")
        named = "/".join([self.namespace, *parts[levels:]])
        if not names.is_repository(named):
            raise BadRequest(f"{named[:255]} is no name that a repository can have")
        return named


def choice(filters: Sequence[Mapping[str, Any]]) -> Choice:
    """What Harbor's filter objects choose.

    Raises:
        BadRequest
    """
    made = Choice()
    seen: set[str] = set()
    for given in filters:
        kind, value, decoration = given["type"], given.get("value"), given.get("decoration") or TAG[0]
        if kind not in _READ:
            raise BadRequest(f"the type of a filter must be one of {', '.join(_READ)}, not {kind[:32]!r}")
        if kind in seen:
            raise BadRequest(f"there are two filters by {kind}")
        if decoration not in TAG:
            raise BadRequest(f"the decoration of a filter must be {' or '.join(TAG)}, not {decoration[:32]!r}")
        seen.add(kind)
        made = replace(made, **_READ[kind](value, decoration == TAG[1]))
    return made


def _name(value: Any, excludes: bool) -> dict[str, Any]:
    if excludes:
        raise BadRequest("a filter by name cannot exclude")
    return {"name": _pattern(value)}


def _tags(value: Any, excludes: bool) -> dict[str, Any]:
    pattern = _pattern(value)
    return {"tags": Selector(pattern, excludes=excludes) if pattern and (excludes or pattern != "**") else None}


def _labels(value: Any, excludes: bool) -> dict[str, Any]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and 0 < len(text) <= _LONGEST_LABEL for text in texts) or len(texts) > _MAX_LABELS:
        raise BadRequest("a filter by label has a list of their names")
    return {"labels": frozenset(texts), "without_labels": excludes}


def _resource(value: Any, _excludes: bool) -> dict[str, Any]:
    if value not in ("", IMAGE, ARTIFACT):
        raise BadRequest(f"a filter by resource is {IMAGE} or {ARTIFACT}")
    return {"images": value == IMAGE}


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest("a filter by name or tag has a pattern")
    try:
        patterns.check(value)
    except BadPattern as error:
        raise BadRequest(f"the pattern {value[:64]!r} cannot be used: {error}") from error
    return value


_READ = {NAME: _name, TAGS: _tags, LABEL: _labels, RESOURCE: _resource}


def literal_names(pattern: str) -> tuple[str, ...] | None:
    """The only names that a pattern matches, where it lists them: they need not be looked for; None: any number of others."""
    head, opened, rest = pattern.partition("{")
    inner, closed, tail = rest.partition("}")
    if any(character in pattern for character in "*?[\\") or not pattern or "{" in inner + tail or bool(opened) != bool(closed):
        return None
    return tuple(head + one + tail for one in (inner.split(",") if opened else [""]))


def check_namespace(namespace: str, levels: int) -> None:
    """
    Raises:
        BadRequest: no repository could be called so.
    """
    if namespace and not names.is_repository(f"{namespace}/x"):
        raise BadRequest(f"the namespace {namespace[:255]!r} cannot be used: lower-case components with / between them")
    if not ALL_LEVELS <= levels <= MOST_LEVELS:
        raise BadRequest("dest_namespace_replace_count is -1 for all levels, or how many")


def check_cron(cron: str) -> None:
    """Harbor's: no replication begins every minute.

    Raises:
        BadRequest
    """
    fields = cron.split()
    if len(fields) == 6 and (fields[0] != "0" or fields[1] == "*"):
        raise BadRequest("the seconds of a replication's schedule are 0, and its minute is not *")


def excepted(reasons: Collection[str], most: int = 3) -> str:
    """What of a run did not go well, in one sentence."""
    shown = list(reasons)[:most]
    more = f"; and {len(reasons) - most} more" if len(reasons) > most else ""
    return "; ".join(shown) + more
