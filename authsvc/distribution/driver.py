"""Where the registry stores that is no directory: a section of its own configuration, which the operator gives us as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from authsvc.core.crypto import read_given
from authsvc.core.errors import PreconditionFailed

if TYPE_CHECKING:  # these are there for types only
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

_TIMES: ClientConfig = {"connect_timeout": "3s", "timeout": "30s"}
_RETRY: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
# What neither store nor we can do without.
_NEEDED = {"s3": ("region", "bucket"), "gcs": ("bucket",), "azure": ("accountname", "container")}


@dataclass(frozen=True, slots=True)
class Driver:
    """`name` and `parameters`: as the registry's documentation has them; `redirects`: whether clients are sent to the store for
    blobs, or get them through the registry."""

    name: str
    parameters: Mapping[str, Any]
    redirects: bool

    @property
    def bucket(self) -> str:
        """What people call the place."""
        return f"{self.name}://{self.parameters['container' if self.name == 'azure' else 'bucket']}"

    def open(self) -> ObjectStore:
        """A client of the store, below the registry's root directory. It connects when it is asked.

        Raises:
            PreconditionFailed: the parameters cannot be used.
        """
        try:
            return _OPEN[self.name](self.parameters, str(self.parameters.get("rootdirectory") or "").strip("/") or None)
        except (ValueError, TypeError, KeyError) as error:
            raise PreconditionFailed(f"{self.bucket} cannot be used: {' '.join(str(error).split())[:200]}") from None


def read(file: Path) -> Driver:
    """A file such as `s3: {region: eu-central-1, bucket: images}`, and beside it `redirect: {disable: true}` if that is wanted.

    Raises:
        PreconditionFailed: it cannot be read, or says something else.
    """
    try:
        given = yaml.safe_load(read_given(file))
    except (OSError, ValueError, RecursionError) as error:
        raise PreconditionFailed(f"{file} cannot be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:  # which may quote a line with a secret
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise PreconditionFailed(f"{file} is no YAML: see line {line}") from None
    if not isinstance(given, dict):
        raise PreconditionFailed(f"{file} holds no section such as s3, gcs or azure")
    if isinstance(given.get("storage"), dict) and len(given) == 1:
        given = given["storage"]  # as it stands in the registry's own file
    redirect = given.pop("redirect", None) or {}
    names = [name for name in given if name in _NEEDED]
    if len(names) != 1 or len(given) != 1:
        unknown = sorted(str(name) for name in given if name not in _NEEDED)
        raise PreconditionFailed(f"{file}: one of s3, gcs and azure is expected{', not ' + unknown[0] if unknown else ''}")
    name, parameters = names[0], given[names[0]]
    if not isinstance(parameters, dict) or not isinstance(redirect, dict):
        raise PreconditionFailed(f"{file}: {name} and redirect have parameters, such as bucket")
    if missing := [needed for needed in _NEEDED[name] if not parameters.get(needed)]:
        raise PreconditionFailed(f"{file}: {name} needs {' and '.join(missing)}")
    if name == "s3":  # registries differ in what they do where nothing is said
        parameters.setdefault("forcepathstyle", bool(parameters.get("regionendpoint")))
    return Driver(name, parameters, redirects=not redirect.get("disable", False))


def _s3(given: Mapping[str, Any], prefix: str | None) -> ObjectStore:
    endpoint = str(given.get("regionendpoint") or "")
    if endpoint and "://" not in endpoint:
        endpoint = f"{'https' if given.get('secure', True) else 'http'}://{endpoint}"
    config: S3Config = {"region": str(given["region"])}
    if endpoint:
        config["endpoint"] = endpoint
    if given.get("accesskey"):
        config |= {"access_key_id": str(given["accesskey"]), "secret_access_key": str(given.get("secretkey") or "")}
    if given.get("sessiontoken"):
        config["session_token"] = str(given["sessiontoken"])
    config["virtual_hosted_style_request"] = not given.get("forcepathstyle", False)
    client: ClientConfig = {
        "allow_http": endpoint.startswith("http:"),
        "allow_invalid_certificates": bool(given.get("skipverify")),
    }
    return S3Store(str(given["bucket"]), prefix=prefix, config=config, client_options=_TIMES | client, retry_config=_RETRY)


def _gcs(given: Mapping[str, Any], prefix: str | None) -> ObjectStore:
    config: GCSConfig = {"service_account": str(given["keyfile"])} if given.get("keyfile") else {}
    return GCSStore(str(given["bucket"]), prefix=prefix, config=config, client_options=_TIMES, retry_config=_RETRY)


def _azure(given: Mapping[str, Any], prefix: str | None) -> ObjectStore:
    config: AzureConfig = {"account_name": str(given["accountname"])}
    if given.get("accountkey"):
        config["account_key"] = str(given["accountkey"])
    return AzureStore(str(given["container"]), prefix=prefix, config=config, client_options=_TIMES, retry_config=_RETRY)


_OPEN = {"s3": _s3, "gcs": _gcs, "azure": _azure}
