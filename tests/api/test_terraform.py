"""The requests of Harbor's Terraform provider, resource by resource: what was asked for is read back the same, or every plan would
differ from what is there for ever. It sends a JSON body with every request, `null` where it has nothing to say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.support.world import World

ACCESS = [{"action": "pull", "resource": "repository", "effect": "allow"}]
SCOPE = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
TAG = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
RULE = {"disabled": False, "action": "retain", "template": "latestPushedK", "params": {"latestPushedK": 5},
        "tag_selectors": [TAG | {"extras": '{"untagged":true}'}], "scope_selectors": SCOPE}  # fmt: skip
GIB = 2**30


@dataclass(frozen=True)
class Resource:
    """A resource in project 1, from its making to its end. `unread`: the fields that the provider does not compare."""

    name: str
    path: str
    body: dict[str, Any]
    change: dict[str, Any]
    unread: frozenset[str] = field(default_factory=frozenset)


RESOURCES = [
    Resource(
        "label",
        "/labels",
        {"name": "ok", "description": "d", "color": "#FF0000", "scope": "p", "project_id": 1},
        {"color": "#00FF00"},
    ),
    Resource(
        "user",
        "/users",
        {"username": "john", "password": "Password12345", "realname": "John Doe", "email": "j@example.com", "comment": "c"},
        {"realname": "Joan"},
        frozenset({"password"}),
    ),
    Resource(
        "robot of a project",
        "/robots",
        {
            "name": "robot$main+ci",
            "description": "d",
            "level": "project",
            "duration": -1,
            "permissions": [{"access": ACCESS, "kind": "project", "namespace": "main"}],
        },
        {"description": "e", "disable": True},
    ),
    Resource(
        "immutable tag rule",
        "/projects/1/immutabletagrules",
        {"action": "immutable", "template": "immutable_template", "tag_selectors": [TAG], "scope_selectors": SCOPE},
        {"disabled": True},
    ),
    Resource(
        "webhook",
        "/projects/1/webhook/policies",
        {
            "name": "hook",
            "enabled": True,
            "event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"],
            "targets": [{"type": "http", "address": "https://hooks.example.com", "skip_cert_verify": True}],
        },
        {"event_types": ["PULL_ARTIFACT"], "enabled": False},
    ),
    Resource(
        "retention",
        "/retentions",
        {
            "algorithm": "or",
            "scope": {"level": "project", "ref": 1},
            "trigger": {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}},
            "rules": [RULE],
        },
        {"rules": [RULE, RULE | {"template": "always", "params": {}}], "trigger": {"kind": "Schedule", "settings": {"cron": ""}}},
    ),
    Resource(
        "group",
        "/usergroups",
        {"group_name": "devs", "group_type": 1, "ldap_group_dn": "cn=devs,dc=example"},
        {"group_name": "ops"},
    ),
]


class Provider:
    def __init__(self, world: World) -> None:
        self.world = world

    def send(self, method: str, path: str, status: int, body: Any = None) -> TestResponse:
        sent = {"data": json.dumps(body) + "\n", "content_type": "application/json"}
        answer = self.world.api(method, path, "admin", **sent)
        assert answer.status_code == status, (method, path, answer.text)
        return answer

    def create(self, path: str, body: Any) -> str:
        """The path of what was made, as the provider keeps it."""
        location = self.send("POST", path, 201, body).headers["Location"]
        return location.replace("/api", "").replace("/v2.0", "")

    def read(self, path: str) -> dict[str, Any]:
        """One by one, or, of rules for immutable tags, out of their list."""
        if "immutabletagrules" not in path:
            return dict(self.send("GET", path, 200).get_json())
        rules_path, _, rule_id = path.rpartition("/")
        (found,) = (rule for rule in self.send("GET", rules_path, 200).get_json() if rule["id"] == int(rule_id))
        return dict(found)


@pytest.fixture
def provider(world: World) -> Provider:
    made = Provider(world)
    assert made.create("/projects", {"project_name": "main", "metadata": {"public": "false"}}) == "/projects/1"
    return made


def _holds(found: Any, wanted: Any) -> bool:
    """Go reads what is missing as its zero value."""
    if isinstance(wanted, dict):
        return all(_holds((found or {}).get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found or []) == len(wanted) and all(map(_holds, found or [], wanted))
    return bool(found == wanted or (not found and not wanted))


@pytest.mark.parametrize("resource", RESOURCES, ids=[resource.name for resource in RESOURCES])
def test_what_is_applied_is_what_is_read(provider: Provider, resource: Resource) -> None:
    body = resource.body | ({"name": resource.body["name"].rpartition("+")[2]} if resource.path == "/robots" else {})
    path = provider.create(resource.path, body)
    for wanted in (resource.body, resource.body | resource.change):
        if wanted is not resource.body:
            provider.send("PUT", path, 200, wanted | {"id": int(path.rpartition("/")[2])})
        compared = {key: value for key, value in wanted.items() if key not in resource.unread}
        assert _holds(provider.read(path), compared), provider.read(path)
    provider.send("DELETE", path, 200)
    if "immutabletagrules" not in path:
        provider.send("GET", path, 404)


def test_a_project_with_its_quota(provider: Provider) -> None:
    wanted: dict[str, Any] = {
        "metadata": {"auto_scan": "true", "public": "true", "severity": "high", "prevent_vul": "true", "enable_content_trust": "false",
                     "reuse_sys_cve_allowlist": "false"},
        "cve_allowlist": {"items": [{"cve_id": "CVE-2024-1"}]},
    }  # fmt: skip
    path = provider.create("/projects", {"project_name": "more", "storage_limit": 5 * GIB} | wanted)
    assert _holds(provider.read(path), {"name": "more"} | wanted)
    changed = {"metadata": wanted["metadata"] | {"public": "false"}, "cve_allowlist": {}}
    provider.send("PUT", path, 200, {"project_name": "more", "storage_limit": 5 * GIB} | changed)
    assert _holds(provider.read(path), changed | {"cve_allowlist": {"items": []}})
    assert provider.read("/configurations")["quota_per_project_enable"]["value"] is True
    (quota,) = (
        one for one in provider.send("GET", "/quotas/?page=1&page_size=100", 200).get_json() if one["ref"]["name"] == "more"
    )
    assert quota["hard"] == {"storage": 5 * GIB}
    assert provider.send("GET", "/quotas/?page=2&page_size=100", 200).get_json() == []
    provider.send("PUT", f"/quotas/{quota['id']}", 200, {"hard": {"storage": GIB}})
    provider.send("DELETE", path, 200)


def test_a_project_has_no_scanner(provider: Provider) -> None:
    """It asks at each look at a project, and takes the name of what it is told of."""
    assert provider.send("GET", "/projects/1/scanner", 200).get_json() == {}
    assert provider.send("GET", "/scanners", 200).get_json() == []


def test_members(provider: Provider) -> None:
    provider.create("/users", {"username": "john", "password": "Password12345", "email": "j@example.com"})
    group = {"group_type": 3, "group_name": "devs"}
    for name, entity in (("john", {"member_user": {"username": "john"}}), ("devs", {"member_group": group})):
        path = provider.create("/projects/1/members", {"role_id": 2} | entity)
        assert _holds(provider.read(path), {"entity_name": name, "role_id": 2, "project_id": 1})
        provider.send("PUT", path, 200, {"role_id": 4} | entity)
        assert provider.read(path)["role_id"] == 4
        provider.send("DELETE", path, 200)


def test_a_robot_of_the_system_with_a_secret_of_ones_own(provider: Provider) -> None:
    permissions = [
        {"access": [{"action": "create", "resource": "label", "effect": "allow"}], "kind": "system", "namespace": "/"},
        {"access": ACCESS, "kind": "project", "namespace": "main"},
        {"access": ACCESS, "kind": "project", "namespace": "*"},
    ]
    body = {"name": "ci", "level": "system", "duration": -1, "permissions": permissions}
    path = provider.create("/robots", body)
    provider.send("PATCH", path, 200, {"secret": "robotSecret12345"})
    found = provider.read(path)
    prefix = provider.read("/configurations")["robot_name_prefix"]["value"]
    assert found["name"].removeprefix(prefix) == "ci"
    assert sorted(found["permissions"], key=itemgetter("namespace")) == sorted(permissions, key=itemgetter("namespace"))
    listed = provider.send("GET", "/robots?page=1&q=Level=system", 200).get_json()
    assert [one["name"] for one in listed] == [found["name"]]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/system/gc/schedule", {"delete_untagged": True, "workers": 2}),
        ("/system/purgeaudit/schedule", {"audit_retention_hour": 24, "include_event_types": "create_artifact"}),
    ],
)
def test_schedules(provider: Provider, path: str, parameters: dict[str, Any]) -> None:
    """PUT where a GET answers with anything, POST else."""
    method, status = ("PUT", 200) if provider.send("GET", path, 200).text else ("POST", 201)
    provider.send(method, path, status, {"schedule": {"type": "Daily", "cron": "0 0 0 * * *"}, "parameters": parameters})
    found = provider.read(path)
    assert found["schedule"]["type"] == "Daily"
    assert _holds(json.loads(found["job_parameters"]), parameters)
    provider.send("PUT", path, 200, {"schedule": {"type": "None", "cron": ""}, "parameters": {}})
    assert _holds(provider.send("GET", path, 200).get_json(), {"schedule": {"type": ""}})


def test_a_second_retention_policy_is_the_first_one_changed(provider: Provider) -> None:
    """Where there is one already the provider looks for its id in the project, and its end is a policy without rules."""
    body = {"algorithm": "or", "scope": {"level": "project", "ref": 1}, "rules": [RULE]}
    path = provider.create("/retentions", body)
    provider.send("POST", "/retentions", 400, body)
    assert provider.read("/projects/1")["metadata"]["retention_id"] == path.rpartition("/")[2]
    provider.send("PUT", path, 200, body | {"rules": [], "id": int(path.rpartition("/")[2])})
    assert provider.read(path)["rules"] == []
    provider.send("DELETE", "/projects/1", 200)


def test_the_systems_configuration(provider: Provider) -> None:
    """All of it is sent at once, with what is not set and what Harbor does not have any more, numbers as text among it."""
    wanted = {
        "project_creation_restriction": "adminonly",
        "read_only": False,
        "robot_token_duration": 30,
        "robot_name_prefix": "harbor@",
        "session_timeout": 60,
        "token_expiration": 30,
        "notification_enable": True,
        "disabled_audit_log_event_types": "create_artifact,delete_artifact",
        "banner_message": '{"message":"hello","type":"info","closable":true}',
    }
    beside = {
        "storage_per_project": "107374182400",
        "scan_all_policy": {"parameter": {}},
        "email_ssl": False,
        "count_per_project": "1",
    }
    provider.send("PUT", "/configurations", 200, wanted | beside)
    found = provider.read("/configurations")
    assert _holds({name: found[name]["value"] for name in wanted}, wanted)
    assert found["storage_per_project"]["value"] == 100 * GIB


def test_the_systems_allowlist(provider: Provider) -> None:
    for items in ([{"cve_id": "CVE-2024-1"}, {"cve_id": "CVE-2024-2"}], []):
        provider.send("PUT", "/system/CVEAllowlist", 200, {"items": items, "expires_at": 0, "project_id": 0, "id": 0})
        assert _holds(provider.read("/system/CVEAllowlist"), {"items": items})


def test_what_is_looked_up(provider: Provider) -> None:
    provider.create("/users", {"username": "john", "password": "Password12345", "email": "j@example.com"})
    provider.create("/usergroups", {"group_name": "devs", "group_type": 3})
    robot = {
        "name": "ci",
        "level": "project",
        "duration": -1,
        "permissions": [{"access": ACCESS, "kind": "project", "namespace": "main"}],
    }
    provider.create("/robots", robot)
    for path, key, names in (
        ("/projects?page=1&name=main", "name", ["main"]),
        ("/users?page=1&q=username=john,email=j@example.com", "username", ["john"]),
        ("/usergroups?page=1", "group_name", ["devs"]),
        ("/projects/1/members?page=1", "entity_name", ["admin"]),
        ("/robots?page=1&q=Level=project,ProjectID=1", "name", ["robot$main+ci"]),
        ("/registries?page=1", "name", []),
    ):
        assert [one[key] for one in provider.send("GET", path, 200).get_json()] == names
        assert provider.send("GET", path.replace("page=1", "page=2"), 200).get_json() == []
