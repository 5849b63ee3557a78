"""What can be permitted: Harbor's resources and actions, inside a project and outside of all, by Harbor's names."""

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
    # Outside of projects; label, project, quota, robot and scanner are there, too.
    AUDIT_LOG = "audit-log"
    CATALOG = "catalog"
    DISTRIBUTION = "distribution"
    GARBAGE_COLLECTION = "garbage-collection"
    JOBSERVICE_MONITOR = "jobservice-monitor"
    LDAP_USER = "ldap-user"
    PREHEAT_INSTANCE = "preheat-instance"
    PURGE_AUDIT = "purge-audit"
    REGISTRY = "registry"
    REPLICATION = "replication"
    REPLICATION_ADAPTER = "replication-adapter"
    REPLICATION_POLICY = "replication-policy"
    SCAN_ALL = "scan-all"
    SECURITY_HUB = "security-hub"
    SYSTEM_VOLUMES = "system-volumes"
    USER = "user"
    USER_GROUP = "user-group"


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
