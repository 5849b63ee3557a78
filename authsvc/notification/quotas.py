"""Telling of storage quotas: that a project fills, once for each mark that it comes to; and that something did not fit."""

from __future__ import annotations

from authsvc.audit.service import Entry
from authsvc.notification import deliveries, events
from authsvc.quota import service as quota

EXCEEDED, WARNING = "QUOTA_EXCEED", "QUOTA_WARNING"
_RESOURCES = ("artifact", "repository", "quota")


def hear(entry: Entry) -> None:
    """What is audited, in its transaction: what may have changed how full a project is, or how much it may hold."""
    if entry.project_id is None or entry.resource_type not in _RESOURCES or entry.operation == "pull" or not entry.succeeded:
        return
    if said := quota.passed(entry.project_id):
        place = deliveries.named(entry)[0] if entry.resource_type == "artifact" else entry.resource
        deliveries.announce(WARNING, entry.project_id, entry.username, place, events.sentence(said))


def exceeded(project_id: int, username: str, repository: str, said: str) -> None:
    """Something did not fit; in the caller's transaction. Whoever tries again and again is told of once in a while."""
    if deliveries.listening(project_id, EXCEEDED) and quota.is_news(project_id):
        deliveries.announce(EXCEEDED, project_id, username, repository, events.sentence(said))
