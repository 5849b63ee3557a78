"""What robots may be given: Harbor's catalogue (`GET /permissions`), held against facts in `tests/robots`. Pure data."""

from collections.abc import Mapping

from authsvc.rbac.permissions import Action as A
from authsvc.rbac.permissions import Permission, permissions
from authsvc.rbac.permissions import Resource as R

_ALL = (A.READ, A.CREATE, A.DELETE, A.LIST, A.UPDATE)


def _catalogue(table: Mapping[R, tuple[A, ...]]) -> frozenset[Permission]:
    return frozenset[Permission]().union(*(permissions(resource, *actions) for resource, actions in table.items()))


SYSTEM_CATALOGUE = _catalogue(
    {
        R.AUDIT_LOG: (A.LIST,),
        R.PREHEAT_INSTANCE: _ALL,
        R.PROJECT: (A.LIST, A.CREATE),
        R.REPLICATION_POLICY: _ALL,
        R.REPLICATION: (A.READ, A.CREATE, A.LIST),
        R.REPLICATION_ADAPTER: (A.LIST,),
        R.REGISTRY: _ALL,
        R.SCAN_ALL: (A.READ, A.UPDATE, A.STOP, A.CREATE),
        R.SYSTEM_VOLUMES: (A.READ,),
        R.GARBAGE_COLLECTION: (A.READ, A.CREATE, A.LIST, A.UPDATE, A.STOP),
        R.PURGE_AUDIT: (A.READ, A.CREATE, A.LIST, A.UPDATE, A.STOP),
        R.JOBSERVICE_MONITOR: (A.LIST, A.STOP),
        R.SCANNER: _ALL,
        R.LABEL: (A.READ, A.CREATE, A.DELETE, A.UPDATE),
        R.SECURITY_HUB: (A.READ, A.LIST),
        R.CATALOG: (A.READ,),
        R.QUOTA: (A.READ, A.LIST, A.UPDATE),
        R.ROBOT: (A.CREATE, A.READ, A.LIST, A.DELETE),
        R.USER: _ALL,
        R.LDAP_USER: (A.CREATE, A.LIST),
        R.USER_GROUP: _ALL,
    }
)
PROJECT_CATALOGUE = _catalogue(
    {
        R.LOG: (A.LIST,),
        R.PROJECT: (A.READ, A.DELETE, A.UPDATE),
        R.METADATA: _ALL,
        R.REPOSITORY: (A.READ, A.UPDATE, A.DELETE, A.LIST, A.PULL, A.PUSH),
        R.ARTIFACT: (A.READ, A.CREATE, A.LIST, A.DELETE),
        R.SCAN: (A.CREATE, A.READ, A.STOP),
        R.SBOM: (A.CREATE, A.STOP, A.READ),
        R.TAG: (A.CREATE, A.LIST, A.DELETE),
        R.ACCESSORY: (A.LIST,),
        R.ARTIFACT_ADDITION: (A.READ,),
        R.ARTIFACT_LABEL: (A.CREATE, A.DELETE),
        R.SCANNER: (A.CREATE, A.READ),
        R.PREHEAT_POLICY: _ALL,
        R.IMMUTABLE_TAG: (A.CREATE, A.DELETE, A.LIST, A.UPDATE),
        R.NOTIFICATION_POLICY: _ALL,
        R.TAG_RETENTION: _ALL,
        R.LABEL: _ALL,
        R.QUOTA: (A.READ,),
        R.ROBOT: (A.CREATE, A.READ, A.LIST, A.DELETE),
        R.EXPORT_CVE: (A.CREATE, A.READ),
        R.MEMBER: _ALL,
    }
)
