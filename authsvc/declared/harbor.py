"""A running Harbor as a document, read by its API v2.0: to be looked at, changed, and applied."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import marshmallow as ma
import requests

from authsvc.authn import configuration as identity
from authsvc.configuration.items import ITEMS
from authsvc.core.db import must_be_free
from authsvc.core.errors import BadRequest, InvalidCredentials, NotFound, Unavailable
from authsvc.declared.document import Item, MemberSchema, ReplicationSchema, UserSchema
from authsvc.declared.reading import short, simpler
from authsvc.immutability.schemas import ImmutableRuleSchema
from authsvc.labels.schemas import LabelSchema
from authsvc.notification.rules import EVENT_TYPES, SECRETS
from authsvc.notification.schemas import WebhookPolicySchema
from authsvc.projects import rules as project_rules
from authsvc.rbac.roles import Role
from authsvc.registries.providers import ADAPTERS, PLAIN
from authsvc.registries.schemas import RegistrySchema
from authsvc.replication.rules import MANUAL, choice
from authsvc.retention.schemas import RetentionRuleSchema
from authsvc.robots import rules as robot_rules
from authsvc.robots.schemas import RobotCreateSchema

_PAGE = 100
_TIMEOUT = (5, 60)  # seconds to connect, seconds between bytes
_LDAP, _OIDC = 1, 3
_LABEL = LabelSchema(exclude=["scope", "project_id"])
# What a document calls it, and what the API does.
_REPLICATION = {
    "name": "name",
    "description": "description",
    "namespace": "dest_namespace",
    "replace_count": "dest_namespace_replace_count",
    "deletion": "replicate_deletion",
    "override": "override",
    "speed": "speed",
    "copy_by_chunk": "copy_by_chunk",
    "single_active": "single_active_replication",
}
_WEBHOOK = WebhookPolicySchema(exclude=["id", "project_id"])

Note = Callable[[str], None]


class Harbor:
    """Its API, with somebody's credentials."""

    def __init__(self, url: str, username: str, password: str, ca: str | None = None) -> None:
        self._url = f"{url.rstrip('/')}/api/v2.0"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (username, password)
        self._session.verify = ca or True

    def one(self, path: str, *, by_name: bool = False, **query: Any) -> Any:
        """What is at a path; `by_name`: what names something there is a name, though it look like an id.

        Raises:
            InvalidCredentials: it does not let us in, or not as far.
            NotFound: there is nothing.
            Unavailable: it does not answer, or not as Harbor does.
        """
        must_be_free("Harbor")
        try:
            answer = self._session.get(
                self._url + path,
                params=query,
                headers={"X-Is-Resource-Name": str(by_name).lower()},
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unavailable(f"{self._url} does not answer: {error}") from error
        match answer.status_code:
            case 200:
                try:
                    return answer.json()
                except ValueError:
                    raise Unavailable(f"{self._url}{path} answers what is no JSON: is that Harbor?") from None
            case 401:
                raise InvalidCredentials(f"{self._url} does not take this name and password")
            case 403:
                raise InvalidCredentials(f"{self._url}{path} is closed to this user: a system administrator is needed")
            case 404:
                raise NotFound(f"{self._url}{path} is not there")
            case status:
                raise Unavailable(f"{self._url}{path} answers {status}")

    def all(self, path: str, **query: Any) -> Iterator[Item]:
        """Every row of a list.

        Raises: as `one`.
        """
        page = 1
        while True:
            rows = self.one(path, page=page, page_size=_PAGE, **query) or []
            yield from rows
            if len(rows) < _PAGE:
                return
            page += 1


def read(harbor: Harbor, names: Sequence[str], note: Note) -> Item:
    """All of it, or the projects of these names. `note` hears of what is left out, and why.

    Raises:
        InvalidCredentials, NotFound, Unavailable
    """
    configured = harbor.one("/configurations")
    mode = str(configured.get("auth_mode", {}).get("value", "db_auth"))
    prefix = str(configured.get("robot_name_prefix", {}).get("value", "robot$"))
    reader = _Reader(harbor, mode, prefix, note)
    found: Item = {}
    if not names:
        found["configuration"] = dict(reader.configuration(configured))
        found["users"] = list(reader.users())
        found["labels"] = [
            _cut(label, LabelSchema(exclude=["scope", "project_id"])) for label in harbor.all("/labels", scope="g")
        ]
    found["projects"] = [reader.project(project) for project in _chosen(harbor, names)]
    if not names:
        found["robots"] = [reader.robot(robot, "") for robot in harbor.all("/robots")]
        found["registries"] = [reader.registry(registry) for registry in harbor.all("/registries")]
        found["replications"] = list(reader.replications())
    note("images, passwords and secrets stay where they are: docs/migration.md says how to bring them")
    return {name: value for name, value in found.items() if value}


def _chosen(harbor: Harbor, names: Sequence[str]) -> Iterator[Item]:
    if names:
        yield from (harbor.one(f"/projects/{quote(name, safe='')}", by_name=True) for name in names)
    else:
        yield from harbor.all("/projects")


class _Reader:
    def __init__(self, harbor: Harbor, mode: str, prefix: str, note: Note) -> None:
        self._harbor, self._mode, self._prefix, self._note = harbor, mode, prefix, note
        self._groups: dict[int, Item] | None = None

    def configuration(self, configured: Item) -> Iterator[tuple[str, Any]]:
        """What differs from the default, and can be set here."""
        known = ITEMS | identity.ITEMS
        for name, entry in sorted(configured.items()):
            value = entry.get("value") if isinstance(entry, dict) else None
            if name == "auth_mode" and value != "db_auth":
                yield name, value
            if name not in known or known[name].secret or value in (None, known[name].default):
                continue
            try:
                known[name].parse(name, value)
            except BadRequest as error:
                self._note(f"configuration {name} is left out: {error.message}")
            else:
                yield name, value

    def users(self) -> Iterator[Item]:
        """Those who have their password in Harbor."""
        if self._mode != "db_auth":
            self._note(f"users are left out: they come from {self._mode.removesuffix('_auth')}, here as well")
            return
        for user in self._harbor.all("/users"):
            if user["username"] != "admin":
                yield _cut(user, UserSchema())

    def project(self, project: Item) -> Item:
        """One, with what is in it."""
        id_, name = project["project_id"], project["name"]
        metadata = project_rules.settable({key: str(value) for key, value in (project.get("metadata") or {}).items()})
        found: Item = {"name": name, "metadata": simpler(metadata)}
        if self._mode == "db_auth" and project.get("owner_name"):
            found["owner"] = project["owner_name"]
        if project.get("registry_id"):
            found["registry"] = self._harbor.one(f"/registries/{project['registry_id']}")["name"]
        summary = self._harbor.one(f"/projects/{id_}/summary")
        found["storage_limit"] = ((summary.get("quota") or {}).get("hard") or {}).get("storage", -1)
        found["members"] = list(self._members(id_, name))
        found["labels"] = [_cut(label, _LABEL) for label in self._harbor.all("/labels", scope="p", project_id=id_)]
        robots = self._harbor.all("/robots", q=f"Level=project,ProjectID={id_}")
        found["robots"] = [self.robot(robot, name) for robot in robots]
        rules = self._harbor.all(f"/projects/{id_}/immutabletagrules")
        found["immutable_tag_rules"] = [_cut(rule, ImmutableRuleSchema(exclude=["id"])) for rule in rules]
        if retention := (project.get("metadata") or {}).get("retention_id"):
            found["retention"] = self._retention(str(retention))
        found["webhooks"] = list(self._webhooks(id_, name))
        return {key: value for key, value in found.items() if value or key == "storage_limit"}

    def _members(self, project_id: int, project: str) -> Iterator[Item]:
        for member in self._harbor.all(f"/projects/{project_id}/members"):
            role = Role(member["role_id"]).label
            if member["entity_type"] == "g":
                group = self._group(member["entity_id"])
                if group["group_type"] in (_LDAP, _OIDC):
                    is_ldap = group["group_type"] == _LDAP
                    named = group["ldap_group_dn"] if is_ldap else group["group_name"]
                    yield _cut({"group": named, "type": "ldap" if is_ldap else "oidc", "role": role}, MemberSchema())
                else:
                    self._note(f"project {project}: group {group['group_name']} is left out: it is of an authenticating proxy")
            elif self._mode == "oidc_auth" and member["entity_name"] != "admin":
                self._note(f"project {project}: {member['entity_name']}, {role}, is left out until he has logged in here")
            else:
                yield _cut({"user": member["entity_name"], "role": role}, MemberSchema())

    def _group(self, group_id: int) -> Item:
        if self._groups is None:
            self._groups = {group["id"]: group for group in self._harbor.all("/usergroups")}
        return self._groups[group_id]

    def robot(self, robot: Item, project: str) -> Item:
        """With the permissions that there are here, too."""
        split = robot_rules.split_name(self._prefix, robot["name"])
        name = split[1] if split is not None else robot["name"]
        permissions = [
            entry | {"access": access}
            for entry in robot.get("permissions") or []
            if (access := list(self._access(name, entry["kind"], entry.get("access") or [])))
        ]
        return _cut(robot | {"name": name, "permissions": permissions}, RobotCreateSchema(exclude=["level"]))

    def _access(self, robot: str, kind: str, given: Sequence[Item]) -> Iterator[Item]:
        for one in given:
            try:
                robot_rules.parse_access(kind, [(one["resource"], one["action"])])
            except BadRequest:
                self._note(f"robot {robot}: {one['resource']}:{one['action']} is left out: there is no such permission")
            else:
                yield one

    def registry(self, registry: Item) -> Item:
        """Another registry; its secret is to be said here."""
        name, kind, credential = registry["name"], registry["type"], registry.get("credential") or {}
        if kind not in ADAPTERS:
            self._note(f"registry {name} is a {kind}, of which no more is known here than of any: a {PLAIN}")
            registry = registry | {"type": PLAIN}
        found = _cut({key: value for key, value in registry.items() if key != "credential"}, RegistrySchema())
        if not credential.get("access_key"):
            return found
        variable = f"{re.sub('[^A-Z0-9]+', '_', name.upper())}_SECRET"
        self._note(f"registry {name} is without its secret: let the environment variable {variable} say it to `authsvc apply`")
        said = {"type": credential.get("type") or "basic", "access_key": credential["access_key"]}
        return found | {"credential": said | {"access_secret": {"env": variable}}}

    def replications(self) -> Iterator[Item]:
        """What is copied; what cannot be copied here is left out."""
        for policy in self._harbor.all("/replication/policies"):
            trigger = policy.get("trigger") or {}
            ends = {"source": policy.get("src_registry"), "destination": policy.get("dest_registry")}
            said = {
                **{name: (end or {}).get("name", "") if (end or {}).get("id") else "" for name, end in ends.items()},
                **{name: policy[theirs] for name, theirs in _REPLICATION.items() if theirs in policy},
                "enabled": bool(policy.get("enabled")),
                "trigger": trigger.get("type") or MANUAL,
                "cron": (trigger.get("trigger_settings") or {}).get("cron", ""),
                "filters": policy.get("filters") or [],
            }
            try:
                choice(said["filters"])
            except BadRequest as error:
                self._note(f"replication policy {policy['name']} is left out: {error.message}")
            else:
                yield _cut(said, ReplicationSchema())

    def _retention(self, retention_id: str) -> Item:
        policy = self._harbor.one(f"/retentions/{retention_id}")
        cron = (((policy.get("trigger") or {}).get("settings")) or {}).get("cron") or ""
        found: Item = {"rules": [_cut(rule, RetentionRuleSchema(exclude=["id"])) for rule in policy.get("rules") or []]}
        return found | ({"schedule": cron} if cron else {})

    def _webhooks(self, project_id: int, project: str) -> Iterator[Item]:
        for policy in self._harbor.all(f"/projects/{project_id}/webhook/policies"):
            events = [event for event in policy.get("event_types") or [] if event in EVENT_TYPES]
            if any(target.get("auth_header") for target in policy.get("targets") or []):
                self._note(f"project {project}: webhook {policy['name']} is without its auth_header: say {{env: NAME}}")
            yield _cut(policy | {"event_types": events}, _WEBHOOK, SECRETS)


def _cut(item: Item, schema: ma.Schema, secrets: Collection[str] = ()) -> Item:
    """What a document says of it."""
    return short(schema.load(item), schema, secrets)
