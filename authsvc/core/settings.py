"""All settings: one frozen dataclass, read once from the environment (`TIDEGATE_*`), failing loudly.

No field holds a secret or has a secret default: secrets are made by `authsvc prepare` and live in files below
`state_dir`, readable by their owner only. Each field stands in `docs/settings.md` (held by a test).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from environs import Env, EnvError

from authsvc.core import addresses, bounds

PREFIX = "TIDEGATE_"


class SettingsError(Exception):
    """A setting is missing, unknown or cannot be used; the text names it and says what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    external_url: str = "https://localhost:8443"
    state_dir: Path = Path("var")
    database_url: str = ""
    database_password_file: Path | None = None
    database_pooler: bool = False
    master_key_file: Path | None = None
    listen_address: str = "127.0.0.1"
    https_port: int = 0
    http_port: int = 8080
    tls: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    token_address: str = "127.0.0.1:5101"
    api_address: str = "127.0.0.1:5102"
    webhook_address: str = "127.0.0.1:5103"
    registry_address: str = "127.0.0.1:5100"
    cache_address: str = "127.0.0.1:5104"
    registry_program: str = "docker-registry"
    registry_storage: Path | None = None
    registry_storage_file: Path | None = None
    token_workers: int = 2
    api_workers: int = 2
    token_service: str = "harbor-registry"
    token_issuer: str = "tidegate"
    refresh_token_days: int = 90
    credential_cache_seconds: int = 60
    session_hours: int = 12
    login_attempts: int = 10
    login_attempts_per_address: int = 50
    login_window_seconds: int = 300
    registrations_per_address: int = 10
    reconcile_seconds: int = 900
    proxy_cache_seconds: int = 60
    mirror_hosts: tuple[str, ...] = ()
    mirror_namespaces: tuple[str, ...] = ()
    gc_grace_seconds: int = 7200
    ldap_reread_seconds: int = 900
    oidc_check_seconds: int = 900
    oidc_grace_seconds: int = 3600
    identity_days: int = 90
    job_workers: int = 4
    drain_seconds: int = 60
    pull_grace: bool = False
    outgoing_allow: tuple[str, ...] = ()
    metrics_address: str = ""
    traces_endpoint: str = ""
    traces_percent: int = 100
    backup_directory: Path | None = None
    backup_recipients: tuple[str, ...] = ()
    backup_hours: int = 24
    backup_keep: tuple[str, ...] = ("7d", "4w", "6m")
    backup_blobs: bool = True
    backup_bucket_file: Path | None = None
    log_level: str = "info"

    def __post_init__(self) -> None:
        set_ = object.__setattr__  # the dataclass is frozen; what follows from other fields is filled in once, here
        set_(self, "external_url", _external_url(self.external_url))
        set_(self, "state_dir", self.state_dir.absolute())
        default = f"sqlite:///{self.state_dir / 'tidegate.db'}"
        set_(self, "database_url", _database_url(self.database_url) if self.database_url else default)
        if self.external_url.startswith("http:"):
            set_(self, "tls", False)  # nobody comes by TLS to an address that says otherwise
        if not self.https_port:
            set_(self, "https_port", _port(self.external_url) if self.external_url.startswith("https") else 8443)
        if wrong := list(bounds.problems(self)):
            raise SettingsError("; ".join(wrong))

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        """The addresses that nginx listens on, without brackets; of `::` alone, both families."""
        return tuple(item.strip().removeprefix("[").removesuffix("]") for item in self.listen_address.split(",") if item.strip())

    @property
    def registry_host(self) -> str:
        """Host and port as they stand in image names, such as `localhost:8443` or `registry.example.com`."""
        return urlsplit(self.external_url).netloc

    @property
    def mirrors(self) -> dict[str, str]:
        """Host -> the project whose repositories are had there by their names without it."""
        return _pairs(self.mirror_hosts)

    @property
    def namespaces(self) -> dict[str, str]:
        """What containerd says as `ns` -> the project that stands for it."""
        return _pairs(self.mirror_namespaces)

    def realm_at(self, host: str) -> str:
        """The token endpoint's address at one of the `mirrors`, and at our own host for any other."""
        if host not in self.mirrors:
            return self.realm
        parts = urlsplit(self.external_url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{addresses.bracketed(host)}{port}/service/token"

    @property
    def own_authority(self) -> bool:
        """Whether clients have to be given the authority of our certificate, since nobody else vouches for it."""
        return self.tls and self.tls_certificate is None

    @property
    def realm(self) -> str:
        """The token endpoint's address, on the registry's own host and port (some clients refuse another)."""
        return f"{self.external_url}/service/token"

    @classmethod
    def from_env(cls, **overrides: Any) -> Settings:
        """Read `TIDEGATE_*` (and, if `TIDEGATE_ENV_FILE` names one, a file of such lines first).

        Raises:
            SettingsError: a value cannot be used, or a variable with our prefix is not a setting (a typo, most likely).
        """
        env = Env(prefix=PREFIX)
        env_file = os.environ.get(f"{PREFIX}ENV_FILE")
        if env_file and not env.read_env(env_file, recurse=False):
            raise SettingsError(f"{PREFIX}ENV_FILE: cannot read {env_file}")
        known = {f.name: f for f in fields(cls)}
        names_given = {*os.environ, *(dotenv_values(env_file, interpolate=False) if env_file else ())}
        given = {key.removeprefix(PREFIX).lower() for key in names_given if key.startswith(PREFIX)} - {"env_file"}
        if unknown := sorted(given - known.keys()):
            names = ", ".join(PREFIX + name.upper() for name in unknown)
            raise SettingsError(f"unknown setting: {names}; docs/settings.md lists them all")
        try:
            values = {name: _read(env, name, str(known[name].type)) for name in given}
        except EnvError as error:
            raise SettingsError(str(error)) from error
        return cls(**(values | overrides))


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    return {name: project for name, _, project in (pair.partition("=") for pair in given)}


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make the same settings, but for the database's password."""
    shown = replace(settings, database_url=_PASSWORD.sub("@", settings.database_url))
    named = ((PREFIX + field.name.upper(), getattr(shown, field.name)) for field in fields(Settings))
    return {name: _written(value) for name, value in named if value not in (None, "", ())}


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def _read(env: Env, name: str, type_: str) -> Any:
    key = name.upper()
    if type_.startswith("Path"):
        return Path(env.str(key))
    if type_.startswith("tuple"):
        return tuple(item.strip() for item in env.str(key).split(",") if item.strip())
    readers: dict[str, Callable[[str], Any]] = {"str": env.str, "int": env.int, "bool": env.bool}
    return readers[type_](key)


_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _external_url(url: str) -> str:
    """As browsers write an origin, and docker an image's registry: in lower case and ASCII, without the scheme's own port."""
    try:
        parts = urlsplit(url.strip())
        host, port = _host(parts.hostname or ""), parts.port
        is_bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.netloc.endswith(":"))
        if parts.scheme not in _DEFAULT_PORTS or not is_bare or any(sign.isspace() for sign in url.strip()):
            raise ValueError
    except ValueError:
        raise SettingsError(
            f"external_url must look like https://registry.example.com or https://host:8443, not {url!r}"
        ) from None
    shown = addresses.bracketed(host)
    return f"{parts.scheme}://{shown}" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{parts.scheme}://{shown}:{port}"


def _host(text: str) -> str:
    if ":" in text:
        return str(ipaddress.IPv6Address(text))
    host = text.encode("idna").decode().lower()
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise ValueError(text)
    return host


_DRIVERS = {"sqlite": "sqlite", "postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_DRIVERS |= dict.fromkeys(("mysql", "mariadb"), "mysql+pymysql")


def _database_url(url: str) -> str:
    """With the driver that we bring, whichever it names."""
    scheme, separator, rest = url.partition("://")
    driver = _DRIVERS.get(scheme.partition("+")[0]) if separator else None
    if driver is None:
        raise SettingsError("database_url must begin with sqlite:///, postgresql:// or mariadb://")
    return f"{driver}://{rest}"


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or _DEFAULT_PORTS[parts.scheme]


_PASSWORD = re.compile(r"(?<!/):[^@/]*@")
