"""Settings that can be used, and are most likely not what was meant."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from sqlalchemy import make_url

from authsvc.core.db import reading
from authsvc.doctor.findings import LOOPBACK, Check, Finding, Patient, bad, doubtful, good, skipped
from authsvc.projects import service as projects


def _address(patient: Patient) -> Finding:
    host = urlsplit(patient.settings.external_url).hostname or ""
    is_ours_only = host in LOOPBACK
    listens = [one for one in patient.settings.listen_hosts if not ipaddress.ip_address(one).is_loopback]
    if is_ours_only and listens:
        return doubtful(
            f"nginx listens on {', '.join(listens)}, and {host} is every client's own",
            "set TIDEGATE_EXTERNAL_URL to this host's name",
        )
    if not is_ours_only and not listens and patient.settings.tls:
        return doubtful(
            f"clients are to come to {host}, and nginx listens on {', '.join(patient.settings.listen_hosts)} only",
            "set TIDEGATE_LISTEN_ADDRESS=0.0.0.0, unless something on this host passes requests on",
        )
    return good(f"{patient.settings.external_url}, listening on {', '.join(patient.settings.listen_hosts)}")


def _encryption(patient: Patient) -> Finding:
    if patient.settings.external_url.startswith("https"):
        return good("clients come by TLS")
    host = urlsplit(patient.settings.external_url).hostname or ""
    if host in LOOPBACK:
        return good("without TLS, on this host only")
    return bad("passwords and tokens go over the network as they are", "set TIDEGATE_EXTERNAL_URL to https://")


def _networks(patient: Patient, name: str, advice: str) -> Finding:
    wide = [one for one in getattr(patient.settings, name) if ipaddress.ip_network(one).prefixlen == 0]
    if wide:
        return bad(f"{', '.join(wide)} is everybody", advice)
    return good(", ".join(getattr(patient.settings, name)) or "none")


def _proxies(patient: Patient) -> Finding:
    return _networks(
        patient, "trusted_proxies", "name the proxies' own networks in TIDEGATE_TRUSTED_PROXIES: anybody can say who he is"
    )


def _outgoing(patient: Patient) -> Finding:
    return _networks(patient, "outgoing_allow", "name the addresses that are needed in TIDEGATE_OUTGOING_ALLOW")


def _password(patient: Patient) -> Finding:
    if make_url(patient.settings.database_url).password:
        return doubtful(
            "the database's password is in TIDEGATE_DATABASE_URL", "put it into a file: TIDEGATE_DATABASE_PASSWORD_FILE"
        )
    return good("the database's address holds no password")


def _master_key(patient: Patient) -> Finding:
    """With the database alone somebody has ciphertext; with both he has everything."""
    file = patient.layout.master_key
    if not file.exists():
        return bad(
            f"there is no {file}", "bring it from a backup or another node: what is sealed under it cannot be read without it"
        )
    if patient.settings.database_url.startswith("sqlite:///"):
        return skipped("a database on this host is as safe as its key")
    return good(f"it lies in {file}, and not in the database")


def _places(patient: Patient) -> Finding:
    """Addresses of parts that anybody may reach."""
    names = ("token_address", "api_address", "webhook_address", "registry_address", "cache_address")
    open_ = [name for name in names if getattr(patient.settings, name).startswith(("0.0.0.0:", "[::]:"))]
    if open_:
        return bad(
            f"{', '.join(open_)}: all addresses of this host",
            "let only nginx be reached: keep them on loopback or a network of their own",
        )
    return good("nothing but nginx listens on all addresses")


def _mirrors(patient: Patient) -> Finding:
    """Whether the projects are there that stand for other registries."""
    wanted = {*patient.settings.mirrors.values(), *patient.settings.namespaces.values()}
    if not wanted:
        return skipped("no host or namespace stands for a project")
    with patient.app.app_context(), reading():
        found = {name: projects.find_ref(name, is_name=True) for name in sorted(wanted)}
    missing = [name for name, project in found.items() if project is None]
    if missing:
        advice = "make it, or take it out of TIDEGATE_MIRROR_HOSTS and TIDEGATE_MIRROR_NAMESPACES"
        return bad(f"there is no project {', '.join(missing)}", advice)
    private = [name for name, project in found.items() if project is not None and not project.public]
    if private:
        return doubtful(
            f"project {', '.join(private)} is private",
            "docker and containerd show a mirror no credentials unless they are told to",
        )
    return good(f"{', '.join(found)}: there, and public")


CHECKS = (
    Check("settings.address", _address),
    Check("settings.encryption", _encryption),
    Check("settings.trusted-proxies", _proxies),
    Check("settings.outgoing", _outgoing),
    Check("settings.database-password", _password),
    Check("settings.master-key", _master_key),
    Check("settings.places", _places),
    Check("settings.mirrors", _mirrors),
)
