"""What an installer of Harbor's was told, and what has been made of it so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import yaml

ENVIRONMENT, STORAGE, VALUES = ".env", "storage.yml", "values.yaml"
DRIVERS = ("s3", "gcs", "azure")
_LEVELS = {"fatal": "error", "trace": "debug", "warn": "warning"}
_NO_SCANNER = "register a scanner by Harbor's adapter API: docs/scanning.md"
_NO_REDIS = "no Redis is needed"
_PASSWORD = "the first administrator gets a generated one, which is shown once; `authsvc users reset-password` sets another"  # noqa: S105
# What has no counterpart, and why nobody misses it; of what begins like this.
_REASONS = {
    "_version": "",
    "harborAdminPassword": _PASSWORD,
    "harbor_admin_password": _PASSWORD,
    "existingSecretAdminPassword": _PASSWORD,
    "database.internal": "a database is named: the chart brings none",
    "database.type": "",
    "database": "it is brought along with a password of its own, if `deploy/full.env` is used",
    "redis": _NO_REDIS,
    "external_redis": _NO_REDIS,
    "cache": _NO_REDIS,
    "trivy": _NO_SCANNER,
    "internal_tls": "parts find each other on a network that nobody else reaches",
    "internalTLS": "parts find each other within a pod",
    "jobservice": "logs of jobs lie in the database",
    "log": "each container has a file, rotated; `authsvc config set audit_log_forward_endpoint` sends the audit log on",
    "metric": "metrics are always there: docs/metrics.md",
    "metrics": "metrics are always there: docs/metrics.md",
    "upload_purging": "uploads that nobody ends are purged after a week",
    "portal": "pages come from the same process",
    "exporter": "metrics come from the same process",
    "secretKey": "secrets are sealed under the master key",
    "core": "all is in one pod: `resources`, `nodeSelector` and the like are the pod's",
    "registry": "all is in one pod: `registry.resources` are the stock registry's",
    "nginx": "all is in one pod: `nginx.resources` are nginx's",
    "expose": "what it says besides is said in `ingress`, `gateway` and `service`",
    "persistence": "volumes of parts that are not there",
}


@dataclass
class Converted:
    """`files`: texts by name; `notes`: what somebody has to see to, or is left out, and why."""

    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Given:
    """Values by paths such as `https.port`, which are remembered."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self._taken = values, set[str]()

    def take(self, path: str, default: Any = None) -> Any:
        """What is there; `default` if that is nothing."""
        self._taken.add(path)
        here: Any = self._values
        for part in path.split("."):
            here = here.get(part) if isinstance(here, Mapping) else None
        return default if here in (None, "", {}, []) else here

    def left(self) -> list[str]:
        """What nobody has taken, and says something."""
        return list(self._left(self._values, ""))

    def _left(self, here: Any, path: str) -> Iterator[str]:
        if path in self._taken or here in (None, "", {}, [], False):
            return
        if isinstance(here, Mapping):
            for name, value in here.items():
                yield from self._left(value, f"{path}.{name}" if path else str(name))
        else:
            yield path


def bucket(found: Mapping[str, Any], redirect: Mapping[str, Any], made: Converted) -> str:
    """The registry's own section; "" for a directory."""
    for name in ("oss", "swift"):
        if found.get(name):
            made.notes.append(f"{name}: there is no driver for it here; if it speaks S3, describe it as s3 with a regionendpoint")
    name = next((driver for driver in DRIVERS if found.get(driver)), "")
    if not name:
        return ""
    is_disabled = bool(redirect.get("disable", redirect.get("disabled", False)))
    section = {
        name: {key: value for key, value in found[name].items() if value is not None and key != "existingSecret"},
        "redirect": {"disable": is_disabled},
    }
    return str(yaml.safe_dump(section, sort_keys=False))


def database_url(given: Given, at: str, names: Mapping[str, str], made: Converted) -> str:
    """The same server, without the password; `names`: of host, port, username and ssl below `at`."""
    host, port, user, ssl = (given.take(f"{at}.{names[what]}") for what in ("host", "port", "username", "ssl"))
    for other in ("db_name", "coreDatabase", "max_idle_conns", "max_open_conns"):
        given.take(f"{at}.{other}")
    made.notes.append(f"make an empty database `tidegate` on {host}: Harbor's own stays as it is")
    where = f"[{host}]" if ":" in str(host) else host
    name = quote(str(user or "tidegate"), safe="")
    return f"postgresql://{name}@{where}:{port or 5432}/tidegate" + (f"?sslmode={ssl}" if ssl else "")


def log_level(said: Any) -> str:
    """By our names."""
    return _LEVELS.get(str(said), str(said)) if said else ""


def unmapped(given: Given) -> Iterator[str]:
    """What is left out, and why."""
    said = set[str]()
    for path in given.left():
        known = max((one for one in _REASONS if path == one or path.startswith(f"{one}.")), key=len, default="")
        if known in said or (known and not _REASONS[known]):
            continue
        said |= {known} if known else set()
        yield f"left out: {known or path}" + (f" ({_REASONS[known]})" if known else ": there is nothing like it here")
