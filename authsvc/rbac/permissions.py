"""What can be permitted: Harbor's resources and actions inside a project, by Harbor's names."""

from enum import StrEnum
from typing import NamedTuple


class Resource(StrEnum):
    ACCESSORY = "accessory"
    ARTIFACT = "artifact"
    ARTIFACT_ADDITION = "artifact-addition"
    ARTIFACT_LABEL = "artifact-label"
    CONFIGURATION = "configuration"
    EXPORT_CVE = "export-cve"
    IMMUTABLE_TAG = "immutable-tag"
    LABEL = "label"
    LOG = "log"
    MEMBER = "member"
    METADATA = "metadata"
    NOTIFICATION_POLICY = "notification-policy"
    PREHEAT_POLICY = "preheat-policy"
    PROJECT = "project"
    QUOTA = "quota"
    REPOSITORY = "repository"
    ROBOT = "robot"
    SBOM = "sbom"
    SCAN = "scan"
    SCANNER = "scanner"
    TAG = "tag"
    TAG_RETENTION = "tag-retention"


class Action(StrEnum):
    CREATE = "create"
    DELETE = "delete"
    LIST = "list"
    OPERATE = "operate"
    PULL = "pull"
    PUSH = "push"
    READ = "read"
    STOP = "stop"
    UPDATE = "update"


class Permission(NamedTuple):
    resource: Resource
    action: Action

    def __str__(self) -> str:
        return f"{self.resource}:{self.action}"


def permissions(resource: Resource, *actions: Action) -> frozenset[Permission]:
    """Several actions on one resource."""
    return frozenset(Permission(resource, action) for action in actions)
