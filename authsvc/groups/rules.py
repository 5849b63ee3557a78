"""What makes two groups the same group. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum


class GroupType(IntEnum):
    """Harbor's group types."""

    LDAP = 1
    HTTP = 2
    OIDC = 3


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group as its source calls it; `dn` for LDAP only."""

    type: GroupType
    name: str
    dn: str = ""

    @property
    def key(self) -> str:
        """The form in which two names are the same group: DNs regardless of case and of blanks around their commas."""
        return dn_key(self.dn) if self.type is GroupType.LDAP else unicodedata.normalize("NFC", self.name)


def dn_key(dn: str) -> str:
    """A distinguished name (RFC 4514) without what does not matter when two are compared."""
    parts = re.split(r"(?<!\\)[,;]", dn)
    pairs = (part.partition("=") for part in parts)
    return ",".join(f"{name.strip()}={value.strip()}" for name, _, value in pairs).casefold()
