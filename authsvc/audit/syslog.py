"""Entries of the audit log as syslog messages. Pure.

Source: RFC 5424 (the message), RFC 6587 section 3.4.1 (octet counting over TCP), RFC 5425 (the same over TLS).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from authsvc.core.errors import BadRequest

_FACILITY = 13  # log audit
_NOTICE, _WARNING = 5, 4
_APP = "tidegate"
_PORTS = {"tcp": 514, "tls": 6514}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A collector. `ca`: certificates in PEM to trust besides the system's."""

    host: str
    port: int
    tls: bool
    ca: str = ""

    def __str__(self) -> str:
        return f"{'tls' if self.tls else 'tcp'}://{self.host}:{self.port}"


def parse_endpoint(text: str, ca: str = "") -> Endpoint:
    """`host:port` as Harbor takes it (TCP), or `tcp://host:port`, `tls://host:port`.

    Raises:
        BadRequest
    """
    scheme, separator, rest = text.strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("tcp", scheme)
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        host, port = None, 0
    if scheme not in _PORTS or not host or not port or "@" in rest or any(mark in rest for mark in "/?# \t\n"):
        raise BadRequest("audit_log_forward_endpoint must be host:port, tcp://host:port or tls://host:port")
    return Endpoint(host, port, scheme == "tls", ca)


def message(entry: Mapping[str, Any], hostname: str) -> bytes:
    """One entry, framed: its kind is the MSGID, all of it is the message, as a JSON object; `id` tells doubles."""
    severity = _NOTICE if entry["succeeded"] else _WARNING
    kind = _printable(f"{entry['operation']}_{entry['resource_type']}", 32)
    header = f"<{_FACILITY * 8 + severity}>1 {entry['op_time']} {_printable(hostname, 255)} {_APP} - {kind} - "
    body = {key: value for key, value in entry.items() if value not in ("", None)}
    text = header.encode() + b"\xef\xbb\xbf" + json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return b"%d %b" % (len(text), text)


def _printable(text: str, limit: int) -> str:
    return "".join(character if "!" <= character <= "~" else "_" for character in text)[:limit] or "-"
