"""A `harbor.yml` as an environment of containers."""

from __future__ import annotations

from pathlib import PurePosixPath

from authsvc.declared.given import ENVIRONMENT, STORAGE, Converted, Given, bucket, database_url, log_level, unmapped

_WITHIN = PurePosixPath("/run/tidegate/tls")  # where containers have the operator's files


def convert(given: Given) -> Converted:
    made = Converted()
    settings = {"EXTERNAL_URL": _url(given), "LISTEN": "[::]" if given.take("ip_family.ipv6.enabled") else "0.0.0.0"}  # noqa: S104
    given.take("ip_family.ipv4.enabled")
    if given.take("http.port"):
        settings["HTTP_PORT"] = str(given.take("http.port"))
    settings |= _tls(given, made)
    settings |= _storage_of_installer(given, made)
    settings["LOG_LEVEL"] = log_level(given.take("log.level"))
    settings["JOB_WORKERS"] = str(given.take("jobservice.max_job_workers") or "")
    if given.take("external_database.harbor.host"):
        settings["DATABASE_URL"] = database_url(
            given, "external_database.harbor", {"host": "host", "port": "port", "username": "username", "ssl": "ssl_mode"}, made
        )
        given.take("external_database.harbor.password")
        made.notes.append("the database's password goes into its volume: docs/containers.md, A database of yours")
    lines = [f"TIDEGATE_{name}={value}\n" for name, value in settings.items() if value]
    if volume := given.take("data_volume"):
        lines.append(f"# TIDEGATE_BLOBS={volume}/registry\n")
        made.notes.append(
            f"images: to take Harbor's own, stop it, chown -R 10001:10001 {volume}/registry, and name it as TIDEGATE_BLOBS:"
            " docs/migration.md"
        )
    made.files[ENVIRONMENT] = "".join(lines)
    made.notes += unmapped(given)
    return made


def _url(given: Given) -> str:
    host, external = given.take("hostname"), given.take("external_url")
    if external:
        return str(external)
    scheme, usual = ("https", 443) if given.take("https.port") or given.take("https.certificate") else ("http", 80)
    port = given.take(f"{scheme}.port") or usual
    shown = f"[{host}]" if ":" in str(host) else host
    return f"{scheme}://{shown}" + ("" if int(port) == usual else f":{port}")


def _tls(given: Given, made: Converted) -> dict[str, str]:
    certificate, key = given.take("https.certificate"), given.take("https.private_key")
    given.take("https.strong_ssl_ciphers")
    if not certificate or not key:
        return {}
    first, second = PurePosixPath(certificate), PurePosixPath(key)
    if first.parent != second.parent:
        made.notes.append(f"put {second} beside {first}: both come from one directory")
    made.notes.append(f"user 10001 must be able to read {second.name} in {first.parent}")
    return {
        "HTTPS_PORT": str(given.take("https.port") or 443),
        "TLS_DIR": str(first.parent),
        "TLS_CERTIFICATE": str(_WITHIN / first.name),
        "TLS_KEY": str(_WITHIN / second.name),
    }


def _storage_of_installer(given: Given, made: Converted) -> dict[str, str]:
    found = given.take("storage_service") or {}
    if found.get("ca_bundle"):
        made.notes.append("storage_service.ca_bundle: put it into the directory of certificates, and name it as SSL_CERT_FILE")
    described = bucket(found, found.get("redirect") or {}, made)
    if not described:
        return {}
    made.files[STORAGE] = described
    made.notes.append(f"put {STORAGE} into TIDEGATE_TLS_DIR, for user 10001 and nobody else (it holds secrets)")
    return {"REGISTRY_STORAGE_FILE": str(_WITHIN / STORAGE)}
