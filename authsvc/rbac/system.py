"""The permissions outside of projects that Harbor tells its clients about (scope `/system`). Pure data."""

from authsvc.rbac.permissions import Action as A
from authsvc.rbac.permissions import Permission, permissions
from authsvc.rbac.permissions import Resource as R

_ALL = (A.CREATE, A.READ, A.UPDATE, A.DELETE, A.LIST)

SYSTEM_PERMISSIONS: frozenset[Permission] = (
    permissions(R.AUDIT_LOG, A.LIST)
    | permissions(R.CATALOG, A.READ)
    | permissions(R.CONFIGURATION, A.READ, A.UPDATE)
    | permissions(R.DISTRIBUTION, *_ALL)
    | permissions(R.GARBAGE_COLLECTION, *_ALL)
    | permissions(R.JOBSERVICE_MONITOR, A.READ, A.LIST, A.STOP)
    | permissions(R.LDAP_USER, A.CREATE, A.LIST)
    | permissions(R.PROJECT, *_ALL)
    | permissions(R.REGISTRY, *_ALL)
    | permissions(R.REPLICATION, *_ALL)
    | permissions(R.SCAN_ALL, *_ALL, A.STOP)
    | permissions(R.SECURITY_HUB, A.READ, A.LIST)
    | permissions(R.SYSTEM_VOLUMES, A.READ)
    | permissions(R.USER, *_ALL)
    | permissions(R.USER_GROUP, *_ALL)
)
