"""What kinds of entries there are, and which of them are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Harbor's, in its order; `<operation>_<resource type>`.
EVENT_TYPES = (
    "create_artifact",
    "delete_artifact",
    "pull_artifact",
    "create_project",
    "delete_project",
    "update_project",
    "delete_repository",
    "login_user",
    "logout_user",
    "create_user",
    "delete_user",
    "update_user",
    "create_robot",
    "delete_robot",
    "update_configuration",
    "create_member",
    "update_member",
    "delete_member",
)
OTHER = "other_events"  # for a purge: everything that is none of these
MAX_RETENTION_HOURS = 240_000  # Harbor's
# Items of the configuration by which entries are kept; that they changed is always noted.
ITEMS = frozenset(
    {
        "audit_log_forward_endpoint",
        "audit_log_forward_ca",
        "disabled_audit_log_event_types",
        "pull_audit_log_disable",
        "skip_audit_log_database",
    }
)


@dataclass(frozen=True, slots=True)
class Keeping:
    """Which entries are kept, and where: in the database, and for the forwarder."""

    disabled: frozenset[str]
    database: bool
    forward: bool

    def keeps(self, operation: str, resource_type: str) -> bool:
        """False if somebody switched this kind off."""
        return event_type(operation, resource_type) not in self.disabled


def keeping(configured: Mapping[str, Any]) -> Keeping:
    """From the items of the configuration."""
    disabled = words(configured["disabled_audit_log_event_types"])
    if configured["pull_audit_log_disable"]:
        disabled |= {"pull_artifact"}
    forward = bool(configured["audit_log_forward_endpoint"])
    return Keeping(disabled, database=not (forward and configured["skip_audit_log_database"]), forward=forward)


def event_type(operation: str, resource_type: str) -> str:
    """Harbor's name for a kind of entry."""
    return f"{operation}_{resource_type}"


def words(text: str) -> frozenset[str]:
    """The words of a comma list, in lower case."""
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())
