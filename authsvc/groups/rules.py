"""What makes two groups the same group. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

DEFAULT = "default"  # the source that Harbor's API means, which knows one of each kind


class GroupType(IntEnum):
    """Harbor's group types."""

    LDAP = 1
    HTTP = 2
    OIDC = 3


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group as its `source` (a directory or provider, by its name) calls it; `dn` for LDAP only. What another one calls the
    same is another group: whoever runs that one decides who is in it."""

    type: GroupType
    name: str
    dn: str = ""
    source: str = DEFAULT

    @property
    def key(self) -> str:
        """The form in which two names of a source are the same group."""
        return dn_key(self.dn) if self.type is GroupType.LDAP else unicodedata.normalize("NFC", self.name)

    @property
    def fits(self) -> bool:
        """False if it is too long to be kept, or holds what cannot be shown: it can have no role then, and is nobody's group.
        To cut it short could make two groups one."""
        short = len(self.name) <= 255 and max(len(self.key), len(self.dn)) <= 512
        return short and (self.name + self.dn).isprintable()


def dn_key(dn: str) -> str:
    """A distinguished name (RFC 4514) without what does not matter when two are compared: case, blanks around its parts or
    more than one within them, how a character is escaped, and the order within an RDN of several parts."""
    spelled = _ESCAPED.sub(_respelled, unicodedata.normalize("NFKC", dn))
    rdns = (sorted(_pair(part) for part in _BETWEEN_PLUS.findall(rdn)) for rdn in _BETWEEN_COMMAS.findall(spelled))
    return ",".join("+".join(rdn) for rdn in rdns)


def dn_value(dn: str) -> str:
    r"""The first value in a distinguished name: `Dev, Ops` of `cn=Dev\, Ops,ou=groups`; the name as it is if it has none."""
    parts = _BETWEEN_COMMAS.findall(_ESCAPED.sub(_respelled, dn))
    first = _BETWEEN_PLUS.findall(parts[0])[0] if parts else ""
    return re.sub(r"\\(.)", r"\1", first.partition("=")[2].strip(), flags=re.DOTALL) or dn


# Bytes in hex, one escaped character, or a quoted value (RFC 2253's older way).
_ESCAPED = re.compile(r'((?:\\[0-9A-Fa-f]{2})+)|\\(.)|"((?:\\.|[^"\\])*)"', re.DOTALL)
_BETWEEN_COMMAS = re.compile(r"(?:\\.|[^,;\\])+", re.DOTALL)
_BETWEEN_PLUS = re.compile(r"(?:\\.|[^+\\])+", re.DOTALL)


def _respelled(match: re.Match[str]) -> str:
    in_hex, one, quoted = match.groups()
    if in_hex is not None:
        text = bytes.fromhex(in_hex.replace("\\", "")).decode("utf-8", "replace")
    else:
        text = one if one is not None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    return "".join(f"\\{character}" if character in ',;+"\\' else character for character in text)


def _pair(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{name.strip()}={' '.join(value.split())}".casefold()
