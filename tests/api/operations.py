"""Who may call what: one line for each operation of the API, from which `test_authorization` makes the whole matrix.

A line is method, path, who may, what it answers to whoever may, and a body if it takes one:

    Operation("POST", "/projects/{project_name_or_id}/members", project(R.MEMBER, A.CREATE), 201, MEMBER),

The path is the URL map's, `<int:member_id>` written `{member_id}`; what a name stands for is in `objects.OBJECTS`. Placeholders
work in the query and in bodies, too. `but` holds the columns that differ from the rule (`COLUMNS` lists them). An operation of the
URL map without a line, a line without an operation and a name without an object fail a test.

The expectations are written by hand from Harbor's documentation, never read from the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from authsvc.rbac.permissions import Action as A
from authsvc.rbac.permissions import Permission
from authsvc.rbac.permissions import Resource as R
from authsvc.rbac.robots import PROJECT_CATALOGUE, SYSTEM_CATALOGUE
from authsvc.rbac.roles import PUBLIC_PERMISSIONS, ROLE_PERMISSIONS, Role

ANONYMOUS, USER, ADMIN, SYSTEM_ROBOT = "anonymous", "plain user", "system admin", "system robot"
ROBOT_HERE, ROBOT_ELSEWHERE = "project robot here", "project robot elsewhere"
# "here": the caller's own project; "elsewhere": the same caller, and a project that is none of his.
HERE = {f"{role.label} here": role for role in Role}
ELSEWHERE = {f"{role.label} elsewhere": role for role in Role}
COLUMNS = [ANONYMOUS, USER, *HERE, *ELSEWHERE, ADMIN, ROBOT_HERE, ROBOT_ELSEWHERE, SYSTEM_ROBOT]
ROBOTS = (ROBOT_HERE, ROBOT_ELSEWHERE, SYSTEM_ROBOT)


class Kind(Enum):
    ANYONE = auto()
    LOGIN = auto()
    PERSON = auto()  # users, not robots
    ONESELF = auto()  # the user of the path, or a system administrator
    SYSADMIN = auto()
    SYSTEM = auto()  # a system administrator, or a robot with the permission
    PROJECT = auto()  # whoever has the permission in the project of the path, or of the object


@dataclass(frozen=True)
class Needs:
    kind: Kind
    permission: Permission | None = None


ANYONE, LOGIN, PERSON, ONESELF, SYSADMIN = (
    Needs(kind) for kind in (Kind.ANYONE, Kind.LOGIN, Kind.PERSON, Kind.ONESELF, Kind.SYSADMIN)
)


def system(resource: R, action: A) -> Needs:
    return Needs(Kind.SYSTEM, Permission(resource, action))


def project(resource: R, action: A) -> Needs:
    return Needs(Kind.PROJECT, Permission(resource, action))


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    needs: Needs
    status: int = 200
    body: Any = None
    query: str = ""
    but: Mapping[str, int] = field(default_factory=dict)
    makes: str = ""  # the placeholder that need not be there yet

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def expected(self, column: str) -> int:
        """The status in one column of the matrix."""
        if column in self.but:
            return self.but[column]
        if self.allows(column):
            return self.status
        return 401 if column == ANONYMOUS else 403

    def allows(self, column: str) -> bool:
        kind = self.needs.kind
        if column == ADMIN or kind is Kind.ANYONE:
            return True
        if kind is Kind.SYSTEM:
            return column == SYSTEM_ROBOT and self.needs.permission in SYSTEM_CATALOGUE
        if kind is Kind.PROJECT:
            return self.needs.permission in self._held(column)
        return column != ANONYMOUS and (kind is Kind.LOGIN or (kind is Kind.PERSON and column not in ROBOTS))

    def _held(self, column: str) -> frozenset[Permission]:
        if column in (ROBOT_HERE, SYSTEM_ROBOT):
            return PROJECT_CATALOGUE
        return ROLE_PERMISSIONS[HERE[column]] if column in HERE else frozenset()

    @property
    def is_public(self) -> bool:
        """True if strangers may do it in a public project."""
        return self.needs.kind is Kind.PROJECT and self.needs.permission in PUBLIC_PERMISSIONS


P, ID = "/projects/{project_name_or_id}", "/projects/{project_name}"
REPOSITORY = f"{ID}/repositories/{{repository_name}}"
ARTIFACT = f"{REPOSITORY}/artifacts/{{reference}}"
MEMBER = {"role_id": 3, "member_user": {"username": "newcomer"}}
ACCESS = [{"resource": "repository", "action": "pull"}]
ROBOT = {
    "name": "ci",
    "level": "project",
    "duration": -1,
    "permissions": [{"kind": "project", "namespace": "{project_name}", "access": ACCESS}],
}
SCANNER = {"name": "other", "url": "http://127.0.0.1:9/other"}
UNUSED_SCANNER = {"name": "other", "url": "http://scanner.invalid", "disabled": True}  # nobody asks it
TRUST = {"name": "x", "issuer": "https://x.example.com", "audience": "a", "claims": {"a": "b"}, "project": "{project_name}",
         "actions": ["pull"]}  # fmt: skip
DIRECTORY = {"settings": {"ldap_url": "ldap://ldap.example.com", "ldap_base_dn": "dc=example,dc=com"}}
PROVIDER = {"settings": {"oidc_endpoint": "https://idp.example.com", "oidc_client_id": "a"}}
USER_BODY = {"username": "x", "password": "long enough", "email": "x@example.com"}
SELECTORS = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "x-**"}]},
}
IMMUTABLE = {"action": "immutable", "template": "immutable_template", **SELECTORS}
RETENTION = {"rules": [{"template": "always", **SELECTORS}]}
CLOSED_PORT = "http://127.0.0.1:9/"
HOOK = f"{P}/webhook/policies"
DELIVERY = f"{HOOK}/{{webhook_policy_id}}/executions/{{execution_id}}"
WEBHOOK = {"name": "new", "targets": [{"type": "http", "address": "https://x.example.com"}], "event_types": ["PUSH_ARTIFACT"]}
REGISTRY = {"name": "x", "type": "docker-registry", "url": CLOSED_PORT}
COPIES = {"name": "x", "dest_registry": {"id": 10**9}}
PURGE = {"schedule": {"type": "Daily"}, "parameters": {"audit_retention_hour": 720}}

OPERATIONS = [
    # -- the system itself
    Operation("GET", "/ping", ANYONE),
    Operation("GET", "/health", ANYONE),
    Operation("GET", "/systeminfo", ANYONE),
    Operation("GET", "/systeminfo/getcert", ANYONE, 404),
    Operation("GET", "/openapi.json", ANYONE),
    Operation("GET", "/systeminfo/volumes", system(R.SYSTEM_VOLUMES, A.READ), 404),  # nothing was stored yet
    Operation("GET", "/search", ANYONE, query="q=here"),
    Operation("GET", "/statistics", LOGIN),
    Operation("GET", "/permissions", SYSADMIN, but={"projectAdmin here": 200, "projectAdmin elsewhere": 200}),
    Operation("GET", "/system/CVEAllowlist", LOGIN),
    Operation("PUT", "/system/CVEAllowlist", SYSADMIN, 200, {"items": [{"cve_id": "CVE-2024-1"}]}),
    Operation("GET", "/configurations", SYSADMIN),
    Operation("PUT", "/configurations", SYSADMIN, 200, {"read_only": True}),
    Operation("GET", "/system/quarantine", SYSADMIN),
    Operation("GET", "/system/damages", SYSADMIN),
    Operation("GET", "/system/metrics", SYSADMIN),
    Operation("POST", "/system/quarantine/{event_id}/retry", SYSADMIN),
    Operation("DELETE", "/system/quarantine/{event_id}", SYSADMIN),
    Operation("GET", "/system/decisions/{decision_id}", project(R.LOG, A.LIST)),
    Operation("GET", "/system/login-failures", SYSADMIN),
    Operation("DELETE", "/system/login-failures", SYSADMIN, 404, query="name=nobody"),
    # -- what runs in the background
    Operation("GET", "/jobservice/pools", system(R.JOBSERVICE_MONITOR, A.LIST)),
    Operation("GET", "/jobservice/pools/{pool_id}/workers", system(R.JOBSERVICE_MONITOR, A.LIST)),
    Operation("PUT", "/jobservice/jobs/{job_id}", system(R.JOBSERVICE_MONITOR, A.STOP)),
    Operation("GET", "/jobservice/jobs/{job_id}/log", system(R.JOBSERVICE_MONITOR, A.LIST)),
    Operation("GET", "/jobservice/queues", system(R.JOBSERVICE_MONITOR, A.LIST)),
    Operation("PUT", "/jobservice/queues/{job_type}", system(R.JOBSERVICE_MONITOR, A.STOP), 200, {"action": "pause"}),
    Operation("GET", "/schedules", system(R.JOBSERVICE_MONITOR, A.LIST)),
    Operation("GET", "/schedules/{job_type}/paused", LOGIN),
    Operation("GET", "/system/purgeaudit", system(R.PURGE_AUDIT, A.LIST)),
    Operation("GET", "/system/purgeaudit/schedule", system(R.PURGE_AUDIT, A.READ)),
    Operation("POST", "/system/purgeaudit/schedule", system(R.PURGE_AUDIT, A.CREATE), 201, PURGE),
    Operation("PUT", "/system/purgeaudit/schedule", system(R.PURGE_AUDIT, A.UPDATE), 200, PURGE),
    Operation("GET", "/system/purgeaudit/{run_id}", system(R.PURGE_AUDIT, A.READ)),
    Operation("PUT", "/system/purgeaudit/{run_id}", system(R.PURGE_AUDIT, A.STOP)),
    Operation("GET", "/system/purgeaudit/{run_id}/log", system(R.PURGE_AUDIT, A.READ)),
    Operation("GET", "/system/gc", system(R.GARBAGE_COLLECTION, A.LIST)),
    Operation("GET", "/system/gc/schedule", system(R.GARBAGE_COLLECTION, A.READ)),
    Operation("POST", "/system/gc/schedule", system(R.GARBAGE_COLLECTION, A.CREATE), 201, {"schedule": {"type": "Weekly"}}),
    Operation("PUT", "/system/gc/schedule", system(R.GARBAGE_COLLECTION, A.UPDATE), 200, {"schedule": {"type": "None"}}),
    Operation("GET", "/system/gc/{run_id}", system(R.GARBAGE_COLLECTION, A.READ)),
    Operation("PUT", "/system/gc/{run_id}", system(R.GARBAGE_COLLECTION, A.STOP)),
    Operation("GET", "/system/gc/{run_id}/log", system(R.GARBAGE_COLLECTION, A.READ)),
    # -- other registries
    Operation("GET", "/replication/adapters", system(R.REPLICATION_ADAPTER, A.LIST)),
    Operation("GET", "/replication/adapterinfos", system(R.REPLICATION_ADAPTER, A.LIST)),
    Operation("GET", "/registries", system(R.REGISTRY, A.LIST)),
    Operation("POST", "/registries", system(R.REGISTRY, A.CREATE), 400, REGISTRY),  # it does not answer
    Operation("POST", "/registries/ping", system(R.REGISTRY, A.READ), 400, REGISTRY),
    Operation("GET", "/registries/{id}", system(R.REGISTRY, A.READ)),
    Operation("PUT", "/registries/{id}", system(R.REGISTRY, A.UPDATE), 200, {"description": "x"}),
    Operation("DELETE", "/registries/{id}", system(R.REGISTRY, A.DELETE)),
    Operation("GET", "/registries/{id}/info", system(R.REGISTRY, A.READ)),
    Operation("GET", "/replication/policies", system(R.REPLICATION_POLICY, A.LIST)),
    Operation("POST", "/replication/policies", system(R.REPLICATION_POLICY, A.CREATE), 400, COPIES),  # there is no such registry
    Operation("GET", "/replication/policies/{id}", system(R.REPLICATION_POLICY, A.READ)),
    Operation("PUT", "/replication/policies/{id}", system(R.REPLICATION_POLICY, A.UPDATE), 400, COPIES),
    Operation("DELETE", "/replication/policies/{id}", system(R.REPLICATION_POLICY, A.DELETE)),
    Operation("GET", "/replication/executions", system(R.REPLICATION, A.LIST)),
    Operation("POST", "/replication/executions", system(R.REPLICATION, A.CREATE), 404, {"policy_id": 10**9}),
    Operation("GET", "/replication/executions/{id}", system(R.REPLICATION, A.READ)),
    Operation("PUT", "/replication/executions/{id}", system(R.REPLICATION, A.CREATE)),
    Operation("GET", "/replication/executions/{id}/tasks", system(R.REPLICATION, A.LIST)),
    Operation("GET", "/replication/executions/{id}/tasks/{task_id}/log", system(R.REPLICATION, A.READ)),
    # -- projects
    Operation("GET", "/projects", ANYONE),
    Operation("HEAD", "/projects", LOGIN, query="project_name={project_name}"),
    Operation("POST", "/projects", PERSON, 201, {"project_name": "new"}, but={SYSTEM_ROBOT: 201}),
    Operation("GET", P, project(R.PROJECT, A.READ)),
    Operation("PUT", P, project(R.PROJECT, A.UPDATE), 200, {"metadata": {"auto_scan": "true"}}),
    Operation("DELETE", P, project(R.PROJECT, A.DELETE), 412),  # it holds a repository
    Operation("GET", f"{P}/_deletable", project(R.PROJECT, A.DELETE)),
    Operation("GET", f"{P}/summary", project(R.PROJECT, A.READ)),
    Operation("GET", f"{P}/metadatas/", project(R.METADATA, A.LIST)),
    Operation("POST", f"{P}/metadatas/", project(R.METADATA, A.CREATE), 200, {"prevent_vul": "true"}),
    Operation("GET", f"{P}/metadatas/{{meta_name}}", project(R.METADATA, A.READ)),
    Operation("PUT", f"{P}/metadatas/{{meta_name}}", project(R.METADATA, A.UPDATE), 200, {"auto_scan": "true"}),
    Operation("DELETE", f"{P}/metadatas/{{meta_name}}", project(R.METADATA, A.DELETE)),
    Operation("GET", f"{P}/members", project(R.MEMBER, A.LIST)),
    Operation("POST", f"{P}/members", project(R.MEMBER, A.CREATE), 201, MEMBER),
    Operation("GET", f"{P}/members/{{member_id}}", project(R.MEMBER, A.READ)),
    Operation("PUT", f"{P}/members/{{member_id}}", project(R.MEMBER, A.UPDATE), 200, {"role_id": 5}),
    Operation("DELETE", f"{P}/members/{{member_id}}", project(R.MEMBER, A.DELETE)),
    Operation("GET", f"{ID}/logs", project(R.LOG, A.LIST)),
    Operation("GET", f"{ID}/auditlog-exts", project(R.LOG, A.LIST)),
    # -- what is in them
    Operation("GET", "/repositories", ANYONE),
    Operation("GET", f"{ID}/repositories", project(R.REPOSITORY, A.LIST)),
    Operation("GET", REPOSITORY, project(R.REPOSITORY, A.READ)),
    Operation("PUT", REPOSITORY, project(R.REPOSITORY, A.UPDATE), 200, {"description": "x"}),
    Operation("GET", f"{ARTIFACT}/additions/{{addition}}", project(R.ARTIFACT_ADDITION, A.READ)),
    Operation("POST", f"{REPOSITORY}/artifacts", project(R.ARTIFACT, A.CREATE), 201,
              query="from={project_name}/{repository_name}:v1", makes="repository_name"),
    Operation("POST", f"{ARTIFACT}/tags", project(R.TAG, A.CREATE), 201, {"name": "new"}),
    Operation("DELETE", f"{ARTIFACT}/tags/{{tag_name}}", project(R.TAG, A.DELETE)),
    Operation("DELETE", REPOSITORY, project(R.REPOSITORY, A.DELETE)),
    Operation("GET", f"{REPOSITORY}/artifacts", project(R.ARTIFACT, A.LIST)),
    Operation("GET", ARTIFACT, project(R.ARTIFACT, A.READ)),
    Operation("DELETE", ARTIFACT, project(R.ARTIFACT, A.DELETE)),
    Operation("GET", f"{ARTIFACT}/tags", project(R.TAG, A.LIST)),
    Operation("GET", f"{ARTIFACT}/accessories", project(R.ACCESSORY, A.LIST)),
    Operation("GET", f"{P}/artifacts", project(R.ARTIFACT, A.LIST)),
    Operation("GET", "/icons/{digest}", ANYONE),
    Operation("POST", f"{ARTIFACT}/labels", project(R.ARTIFACT_LABEL, A.CREATE), 200, {"id": "{free_label_id}"}),
    Operation("DELETE", f"{ARTIFACT}/labels/{{label_id}}", project(R.ARTIFACT_LABEL, A.DELETE)),
    Operation("GET", "/labels", project(R.LABEL, A.LIST), query="scope=p&project_id={project_id}"),
    Operation("POST", "/labels", project(R.LABEL, A.CREATE), 201, {"name": "x", "scope": "p", "project_id": "{project_id}"}),
    Operation("GET", "/labels/{label_id}", project(R.LABEL, A.READ)),
    Operation("PUT", "/labels/{label_id}", project(R.LABEL, A.UPDATE), 200, {"name": "y"}),
    Operation("DELETE", "/labels/{label_id}", project(R.LABEL, A.DELETE)),
    Operation("GET", f"{P}/immutabletagrules", project(R.IMMUTABLE_TAG, A.LIST)),
    Operation("POST", f"{P}/immutabletagrules", project(R.IMMUTABLE_TAG, A.CREATE), 201, IMMUTABLE),
    Operation("PUT", f"{P}/immutabletagrules/{{immutable_rule_id}}", project(R.IMMUTABLE_TAG, A.UPDATE), 200,
              {**IMMUTABLE, "id": "{immutable_rule_id}"}),
    Operation("DELETE", f"{P}/immutabletagrules/{{immutable_rule_id}}", project(R.IMMUTABLE_TAG, A.DELETE)),
    Operation("GET", "/retentions/metadatas", LOGIN),
    Operation("POST", "/retentions", project(R.TAG_RETENTION, A.CREATE), 400,
              {**RETENTION, "scope": {"level": "project", "ref": "{project_id}"}}),  # it has one
    Operation("GET", "/retentions/{retention_id}", project(R.TAG_RETENTION, A.READ)),
    Operation("PUT", "/retentions/{retention_id}", project(R.TAG_RETENTION, A.UPDATE), 200,
              {**RETENTION, "scope": {"level": "project", "ref": "{project_id}"}}),
    Operation("DELETE", "/retentions/{retention_id}", project(R.TAG_RETENTION, A.DELETE)),
    Operation("POST", "/retentions/{retention_id}/executions", project(R.TAG_RETENTION, A.UPDATE), 201, {"dry_run": True}),
    Operation("GET", "/retentions/{retention_id}/executions", project(R.TAG_RETENTION, A.LIST)),
    Operation("PATCH", "/retentions/{retention_id}/executions/{execution_id}", project(R.TAG_RETENTION, A.UPDATE), 200,
              {"action": "stop"}),
    Operation("GET", "/retentions/{retention_id}/executions/{execution_id}/tasks", project(R.TAG_RETENTION, A.LIST)),
    Operation("GET", "/retentions/{retention_id}/executions/{execution_id}/tasks/{task_id}",
              project(R.TAG_RETENTION, A.READ)),
    # -- scanners
    Operation("GET", "/scanners", system(R.SCANNER, A.LIST)),
    Operation("POST", "/scanners", system(R.SCANNER, A.CREATE), 400, SCANNER),  # it is not there
    Operation("POST", "/scanners/ping", system(R.SCANNER, A.READ), 400, SCANNER),
    Operation("GET", "/scanners/{registration_id}", system(R.SCANNER, A.READ)),
    Operation("PUT", "/scanners/{registration_id}", system(R.SCANNER, A.UPDATE), 200, UNUSED_SCANNER),
    Operation("DELETE", "/scanners/{registration_id}", system(R.SCANNER, A.DELETE)),
    Operation("PATCH", "/scanners/{registration_id}", system(R.SCANNER, A.UPDATE), 200, {"is_default": True}),
    Operation("GET", "/scanners/{registration_id}/metadata", system(R.SCANNER, A.READ), 503),
    Operation("GET", f"{P}/scanner", project(R.SCANNER, A.READ)),
    Operation("PUT", f"{P}/scanner", project(R.SCANNER, A.CREATE), 200, {"uuid": "{registration_id}"}),
    Operation("GET", f"{P}/scanner/candidates", project(R.SCANNER, A.READ)),
    Operation("GET", f"{ARTIFACT}/additions/vulnerabilities", project(R.ARTIFACT_ADDITION, A.READ)),
    Operation("POST", f"{ARTIFACT}/scan", project(R.SCAN, A.CREATE), 412, {"scan_type": "vulnerability"}),  # by none
    Operation("POST", f"{ARTIFACT}/scan/stop", project(R.SCAN, A.STOP), 202, {"scan_type": "vulnerability"}),
    Operation("GET", f"{ARTIFACT}/scan/{{report_id}}/log", project(R.SCAN, A.READ)),
    Operation("GET", "/system/scanAll/schedule", system(R.SCAN_ALL, A.READ)),
    Operation("POST", "/system/scanAll/schedule", system(R.SCAN_ALL, A.CREATE), 412, {"schedule": {"type": "Manual"}}),
    Operation("PUT", "/system/scanAll/schedule", system(R.SCAN_ALL, A.UPDATE), 200, {"schedule": {"type": "None"}}),
    Operation("POST", "/system/scanAll/stop", system(R.SCAN_ALL, A.STOP), 400),  # none runs
    Operation("GET", "/security/summary", system(R.SECURITY_HUB, A.READ)),
    Operation("GET", "/security/vul", system(R.SECURITY_HUB, A.LIST)),
    Operation("GET", f"{P}/security/summary", project(R.ARTIFACT_ADDITION, A.READ)),
    Operation("GET", f"{P}/security/vul", project(R.ARTIFACT_ADDITION, A.READ)),
    Operation("GET", "/scans/all/metrics", system(R.SCAN_ALL, A.READ)),
    Operation("GET", "/scans/schedule/metrics", system(R.SCAN_ALL, A.READ)),
    # -- storage
    Operation("GET", "/quotas", system(R.QUOTA, A.LIST)),
    Operation("GET", "/quotas/{quota_id}", system(R.QUOTA, A.READ)),
    Operation("PUT", "/quotas/{quota_id}", system(R.QUOTA, A.UPDATE), 200, {"hard": {"storage": 1_000_000}}),
    # -- whom a project tells
    Operation("GET", HOOK, project(R.NOTIFICATION_POLICY, A.LIST)),
    Operation("POST", HOOK, project(R.NOTIFICATION_POLICY, A.CREATE), 201, WEBHOOK),
    Operation("GET", f"{HOOK}/{{webhook_policy_id}}", project(R.NOTIFICATION_POLICY, A.READ)),
    Operation("PUT", f"{HOOK}/{{webhook_policy_id}}", project(R.NOTIFICATION_POLICY, A.UPDATE), 200, WEBHOOK),
    Operation("DELETE", f"{HOOK}/{{webhook_policy_id}}", project(R.NOTIFICATION_POLICY, A.DELETE)),
    Operation("GET", f"{HOOK}/{{webhook_policy_id}}/executions", project(R.NOTIFICATION_POLICY, A.READ)),
    Operation("GET", f"{DELIVERY}/tasks", project(R.NOTIFICATION_POLICY, A.READ)),
    Operation("GET", f"{DELIVERY}/tasks/{{task_id}}/log", project(R.NOTIFICATION_POLICY, A.READ)),
    Operation("POST", f"{DELIVERY}/redeliver", project(R.NOTIFICATION_POLICY, A.UPDATE), 201),
    Operation("POST", f"{HOOK}/{{webhook_policy_id}}/test", project(R.NOTIFICATION_POLICY, A.UPDATE), 201),
    Operation("GET", f"{P}/webhook/lasttrigger", project(R.NOTIFICATION_POLICY, A.READ)),
    Operation("GET", f"{P}/webhook/events", project(R.NOTIFICATION_POLICY, A.READ)),
    Operation("GET", f"{P}/webhook/jobs", project(R.NOTIFICATION_POLICY, A.LIST), query="policy_id={webhook_policy_id}"),
    # -- robots
    Operation("GET", "/robots", project(R.ROBOT, A.LIST), query="q=Level=project,ProjectID={project_id}"),
    Operation("POST", "/robots", project(R.ROBOT, A.CREATE), 201, ROBOT),
    Operation("GET", "/robots/{robot_id}", project(R.ROBOT, A.READ)),
    Operation("PUT", "/robots/{robot_id}", project(R.ROBOT, A.UPDATE), 200, {**ROBOT, "name": "robot${project_name}+seven"}),
    Operation("PATCH", "/robots/{robot_id}", project(R.ROBOT, A.UPDATE), 200, {"secret": ""}),
    Operation("DELETE", "/robots/{robot_id}", project(R.ROBOT, A.DELETE)),
    Operation("GET", "/robots/{robot_id}/secrets", project(R.ROBOT, A.READ)),
    Operation("POST", "/robots/{robot_id}/secrets", project(R.ROBOT, A.UPDATE), 412),  # it has two
    Operation("DELETE", "/robots/{robot_id}/secrets/{secret_id}", project(R.ROBOT, A.UPDATE)),
    Operation("GET", f"{P}/robots", project(R.ROBOT, A.LIST)),
    Operation("POST", f"{P}/robots", project(R.ROBOT, A.CREATE), 201, {"name": "ci", "access": ACCESS}),
    Operation("GET", f"{P}/robots/{{robot_id}}", project(R.ROBOT, A.READ)),
    Operation("PUT", f"{P}/robots/{{robot_id}}", project(R.ROBOT, A.UPDATE), 200, {"disable": True}),
    Operation("DELETE", f"{P}/robots/{{robot_id}}", project(R.ROBOT, A.DELETE)),
    # -- people
    Operation("GET", "/users", system(R.USER, A.LIST)),
    Operation("POST", "/users", system(R.USER, A.CREATE), 201, USER_BODY),
    Operation("GET", "/users/current", LOGIN, but=dict.fromkeys(ROBOTS, 412)),
    Operation("GET", "/users/current/permissions", LOGIN, query="scope=/project/{project_id}"),
    Operation("GET", "/users/search", PERSON, query="username=some", but={SYSTEM_ROBOT: 200}),
    Operation("GET", "/users/{user_id}", ONESELF, but={SYSTEM_ROBOT: 200}),
    Operation("PUT", "/users/{user_id}", ONESELF, 200, {"realname": "x"}, but={SYSTEM_ROBOT: 200}),
    Operation("DELETE", "/users/{user_id}", system(R.USER, A.DELETE)),
    Operation("PUT", "/users/{user_id}/sysadmin", SYSADMIN, 200, {"sysadmin_flag": True}),
    Operation("PUT", "/users/{user_id}/disabled", SYSADMIN, 200, {"disabled": True}),
    Operation("PUT", "/users/{user_id}/password", ONESELF, 200, {"new_password": "another long one"}),
    Operation("PUT", "/users/{user_id}/cli_secret", ONESELF, 412, {"secret": "Long3noughForThis"}),
    Operation("POST", "/users/{user_id}/cli_secret", ONESELF, 412),
    Operation("GET", "/users/{user_id}/refresh-tokens", ONESELF),
    Operation("DELETE", "/users/{user_id}/refresh-tokens/{secret_id}", ONESELF),
    Operation("GET", "/users/{user_id}/sessions", ONESELF),
    Operation("DELETE", "/users/{user_id}/sessions/{secret_id}", ONESELF),
    Operation("GET", "/users/{user_id}/access-tokens", ONESELF),
    Operation("POST", "/users/{user_id}/access-tokens", ONESELF, 403, {"name": "x"}),  # nobody makes one for somebody else
    Operation("DELETE", "/users/{user_id}/access-tokens/{secret_id}", ONESELF),
    Operation("GET", "/usergroups", system(R.USER_GROUP, A.LIST)),
    Operation("POST", "/usergroups", system(R.USER_GROUP, A.CREATE), 201, {"group_type": 3, "group_name": "x"}),
    Operation("GET", "/usergroups/search", PERSON, query="groupname=x", but={SYSTEM_ROBOT: 200}),
    Operation("GET", "/usergroups/{group_id}", system(R.USER_GROUP, A.READ)),
    Operation("PUT", "/usergroups/{group_id}", system(R.USER_GROUP, A.UPDATE), 200, {"group_name": "y"}),
    Operation("DELETE", "/usergroups/{group_id}", system(R.USER_GROUP, A.DELETE)),
    # -- where people come from
    Operation("POST", "/ldap/ping", SYSADMIN, 400, {}),
    Operation("GET", "/ldap/users/search", system(R.LDAP_USER, A.LIST), 400, query="username=a"),  # there is no directory
    Operation("POST", "/ldap/users/import", system(R.LDAP_USER, A.CREATE), 400, {"ldap_uid_list": ["a"]}),
    Operation("GET", "/ldap/groups/search", system(R.USER_GROUP, A.LIST), 400, query="groupname=a"),
    Operation("POST", "/ldap/trace", SYSADMIN, 404, {}),
    Operation("GET", "/ldap/directories", SYSADMIN),
    Operation("PUT", "/ldap/directories/{name}", SYSADMIN, 200, DIRECTORY),
    Operation("DELETE", "/ldap/directories/{name}", SYSADMIN, 404),
    Operation("POST", "/system/oidc/ping", SYSADMIN, 400, {"url": CLOSED_PORT}),
    Operation("GET", "/system/oidc/providers", SYSADMIN),
    Operation("PUT", "/system/oidc/providers/{name}", SYSADMIN, 200, PROVIDER),
    Operation("DELETE", "/system/oidc/providers/{name}", SYSADMIN, 404),
    Operation("GET", "/system/trust-rules", SYSADMIN),
    Operation("POST", "/system/trust-rules", SYSADMIN, 201, TRUST),
    Operation("DELETE", "/system/trust-rules/{rule_id}", SYSADMIN),
    # -- the audit log
    Operation("GET", "/audit-logs", LOGIN),
    Operation("GET", "/auditlog-exts", LOGIN),
    Operation("GET", "/auditlog-exts/events", LOGIN),
]  # fmt: skip
