"""What happened, as those who are told of it know it. Source: Harbor's webhook payloads. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What it happened to: `tag` is the digest where there is no tag, as in Harbor; `url`: as clients pull it; `details`: what
    else is said of it."""

    digest: str
    tag: str
    url: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`occurred`: Unix seconds, as `created` of the repository; `repository`: its whole name; `details`: what else belongs to
    `event_data`."""

    type: str
    occurred: int
    operator: str
    project_id: int
    repository: str
    is_public: bool
    created: int = 0
    resources: Sequence[Resource] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the queue."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Event:
        """What `as_json` said."""
        return cls(**dict(said) | {"resources": tuple(Resource(**one) for one in said["resources"])})


def sentence(said: str) -> dict[str, Any]:
    """The details of an event that says something in words."""
    return {"custom_attributes": {"Details": said}}


def data(event: Event) -> dict[str, Any]:
    """Harbor's `event_data`."""
    project, _, name = event.repository.partition("/")
    repository: dict[str, Any] = {
        "name": name,
        "namespace": project,
        "repo_full_name": event.repository,
        "repo_type": "public" if event.is_public else "private",
    }
    if event.created:
        repository = {"date_created": event.created} | repository
    resources = [{"digest": one.digest, "tag": one.tag, "resource_url": one.url, **one.details} for one in event.resources]
    return {"resources": resources, "repository": repository, **event.details}


def default(event: Event) -> dict[str, Any]:
    """Harbor's own payload."""
    return {"type": event.type, "occur_at": event.occurred, "operator": event.operator, "event_data": data(event)}
