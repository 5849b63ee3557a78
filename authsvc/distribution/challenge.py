"""The `WWW-Authenticate` challenge of a registry (distribution "Token Authentication Specification"; RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARAMETER = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Where to get a token, for which service and scope; "" for what the challenge leaves out."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""


def parse_challenge(header: str) -> Challenge:
    """Parse a challenge; one that cannot be read has an empty realm."""
    scheme, _, rest = header.partition(" ")
    found = {name.lower(): value for name, value in _PARAMETER.findall(rest)}
    known = {name: found.get(name, "") for name in ("realm", "service", "scope", "error")}
    return Challenge(scheme=scheme.lower(), **known)
