"""The processes: whether each is there, and runs by the settings as they are."""

from __future__ import annotations

import http.client
import json
import re
import time
from datetime import timedelta
from pathlib import Path

import requests

from authsvc.core.clock import from_rfc3339
from authsvc.core.crypto import read_private
from authsvc.core.db import db, utcnow
from authsvc.core.errors import Unavailable
from authsvc.core.versioning import VersionReader
from authsvc.distribution import stores
from authsvc.distribution.bucket import Bucket
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped
from authsvc.stack import lock
from authsvc.wiring import internal_registry, make_issuer

_TIMEOUT = 3.0  # seconds
_OLD = timedelta(days=30)


def _up(patient: Patient) -> Finding:
    if patient.at:
        return skipped("containers are looked after by their engine")
    owner = lock.owner(patient.layout)
    if not owner:
        return bad(f"nothing runs on {patient.layout.root}", "start it: authsvc up")
    started = Path(f"/proc/{owner}").stat().st_mtime
    return good(f"process {owner} runs it, for {timedelta(seconds=int(time.time() - started))}")


def _answers(address: str, path: str, log: str) -> Finding:
    begun = time.perf_counter()
    try:
        status = requests.get(f"http://{address}{path}", timeout=_TIMEOUT, allow_redirects=False).status_code
    except requests.RequestException as error:
        return bad(f"{address} does not answer ({type(error).__name__})", f"see {log}")
    said = f"{address} answers {status} within {(time.perf_counter() - begun) * 1000:.0f} ms"
    return good(said) if status in (200, 401) else bad(said, f"see {log}")


def _token(patient: Patient) -> Finding:
    return _answers(patient.settings.token_address, "/api/v2.0/ping", f"{patient.layout.logs}/token.log")


def _api(patient: Patient) -> Finding:
    return _answers(patient.settings.api_address, "/api/v2.0/ping", f"{patient.layout.logs}/api.log")


def _webhook(patient: Patient) -> Finding:
    return _answers(patient.settings.webhook_address, "/webhook/ready", f"{patient.layout.logs}/webhook.log")


def _registry(patient: Patient) -> Finding:
    return _answers(patient.settings.registry_address, "/v2/", f"{patient.layout.logs}/registry.log")


def _trust(patient: Patient) -> Finding:
    """Whether the registry takes our tokens: it reads the authority at its start only."""
    try:
        with patient.app.app_context():
            issuer = make_issuer(patient.settings, VersionReader(db.engine))
        internal_registry(patient.settings, issuer, "doctor").ping()
    except Exception as error:
        return bad(
            f"the registry does not take our tokens: {error}",
            "`authsvc restart` gives it the authority anew; see also database.clock",
        )
    return good("the registry takes our tokens")


def _notifications(patient: Patient) -> Finding:
    """With an event less than any: what is shown at the door, and who is let in."""
    url = f"http://{patient.settings.webhook_address}/webhook/registry"
    secret = read_private(patient.layout.webhook_secret).decode().strip()
    try:
        known, unknown = (
            requests.post(url, json={"events": []}, headers={"Authorization": f"Bearer {shown}"}, timeout=_TIMEOUT).status_code
            for shown in (secret, "doctor")
        )
    except requests.RequestException as error:
        return bad(
            f"notifications do not arrive ({type(error).__name__})",
            "start the webhook: authsvc restart; events wait in the registry",
        )
    if unknown != 401:
        return bad(f"the webhook answers {unknown} to a wrong secret", "something else listens there")
    return (
        good("notifications are taken, with the right secret only")
        if known < 300
        else bad(f"the webhook answers {known} to the right secret", "`authsvc restart`: it has another one")
    )


def _passing(patient: Patient) -> Finding:
    """The way by which a worker reads what proxy caches fetch: through nginx, to us, for who shows the secret. It is asked for
    something of a project that there is not."""
    address = patient.settings.cache_address
    url = f"http://{address}/0/v2/-/-/manifests/{'0' * 8}"
    secret = read_private(patient.layout.proxy_secret).decode().strip()
    try:
        known, unknown = (
            requests.get(url, headers={"Authorization": f"Bearer {shown}"}, timeout=_TIMEOUT).headers
            for shown in (secret, "doctor")
        )
    except requests.RequestException as error:
        return bad(
            f"nginx does not answer at {address} ({type(error).__name__})", "`authsvc restart`: what is pulled is not kept"
        )
    ours = "Docker-Distribution-Api-Version"
    if ours in unknown:
        return bad(f"{address} lets in whoever asks", "something else than our nginx listens there")
    if ours not in known:
        return bad(f"nginx at {address} does not let us in", "`authsvc restart`: it has another secret")
    return good("a worker reads what proxy caches fetch, with the secret only")


def _configured(patient: Patient) -> Finding:
    """What nginx runs with, against what it would be given now."""
    file = patient.layout.config / "nginx.conf"
    if patient.at or not file.exists():
        return skipped("nginx is configured elsewhere")
    text = read_private(file).decode()
    wanted = {
        "TIDEGATE_API_ADDRESS": f"server {patient.settings.api_address} ",
        "TIDEGATE_TOKEN_ADDRESS": f"server {patient.settings.token_address} ",
        "TIDEGATE_REGISTRY_ADDRESS": f"server {patient.settings.registry_address} ",
        "TIDEGATE_EXTERNAL_URL": patient.settings.registry_host,
    }
    late = [name for name, line in wanted.items() if line not in text]
    if late:
        return doubtful(
            f"nginx does not run by {', '.join(late)} as set here", "set the same where `authsvc up` runs, and `authsvc restart`"
        )
    return good("nginx runs by these settings")


def _cache(patient: Patient) -> Finding:
    file = patient.layout.config / "registry.yml"
    if patient.at or not file.exists():
        return skipped("the registry is configured elsewhere")
    text = read_private(file).decode()
    if re.search(r"^\s+blobdescriptor:", text, re.MULTILINE):
        return bad(
            "the registry keeps blob descriptors in a cache",
            "take cache.blobdescriptor out: it answers for blobs that are deleted",
        )
    if not re.search(r"^\s+delete:\s*\n\s+enabled: true", text, re.MULTILINE):
        return bad("the registry deletes nothing", "run `authsvc prepare`, and `authsvc restart`")
    return good("the registry is configured as it has to be")


def _store(patient: Patient) -> Finding:
    storage = stores.of(patient.settings)
    if not isinstance(storage, Bucket):
        return good(f"the registry stores in {patient.layout.storage}")
    try:
        storage.look()
    except Unavailable as error:
        return bad(
            error.message, "see that name, region and keys are right, and that all may be done there: list, read, write, delete"
        )
    return good(f"the registry stores in {storage.name}, which answers")


def _selftest(patient: Patient) -> Finding:
    try:
        found = json.loads(patient.layout.selftest.read_text())
    except (OSError, ValueError):
        return skipped("none was run on this host: authsvc selftest")
    if found["trouble"]:
        return bad(f"at {found['time']}: {found['trouble']}", "mend what it says, and try again: authsvc selftest")
    age = utcnow() - from_rfc3339(found["time"])
    said = f"a login, push, pull and its record worked at {found['time']}"
    return good(said) if age < _OLD else doubtful(said, "try again: authsvc selftest")


def _nginx(patient: Patient) -> Finding:
    port = patient.settings.https_port if patient.settings.tls else patient.settings.http_port
    connection = http.client.HTTPConnection(patient.nginx, port, timeout=_TIMEOUT)
    try:
        connection.connect()
    except OSError as error:
        return bad(f"nothing listens on port {port} of {patient.nginx}: {error}", f"see {patient.layout.logs}/nginx.log")
    finally:
        connection.close()
    return good(f"it listens on port {port}")


CHECKS = (
    Check("parts.up", _up),
    Check("parts.nginx", _nginx),
    Check("parts.token", _token),
    Check("parts.api", _api),
    Check("parts.webhook", _webhook),
    Check("parts.registry", _registry),
    Check("parts.trust", _trust),
    Check("parts.notifications", _notifications),
    Check("parts.proxy-caches", _passing),
    Check("parts.nginx-configuration", _configured),
    Check("parts.registry-configuration", _cache),
    Check("parts.storage", _store),
    Check("parts.selftest", _selftest),
)
