"""LDAP filters (RFC 4515), with everything that comes from outside escaped. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Active Directory's rule for "member, also through other groups" (MS-ADTS LDAP_MATCHING_RULE_IN_CHAIN).
IN_CHAIN = "1.2.840.113556.1.4.1941"
_SPECIAL = frozenset("\\*()\0")
# An item of a filter, and a filter whose parts were replaced by "+".
_ITEM = re.compile(r"\([A-Za-z0-9.;:-]+[~<>]?=(?:[^()\\\x00]|\\[0-9A-Fa-f]{2})*\)")
_LIST = re.compile(r"\((?:[&|]\++|!\+)\)")


def is_filter(text: str) -> bool:
    """True if that is a filter, such as one from the configuration should be."""
    if "+" in _ITEM.sub("", text):
        return False
    rest, before = _ITEM.sub("+", text), ""
    while rest != before:
        rest, before = _LIST.sub("+", rest), rest
    return rest == "+"


def escaped(value: str) -> str:
    """A value for a filter; whatever it holds, it stays a value."""
    return "".join(
        "".join(map(_escape, character.encode("utf-8", "surrogatepass"))) if _unsafe(character) else character
        for character in value
    )


def _escape(byte: int) -> str:
    return f"\\{byte:02x}"


def _unsafe(character: str) -> bool:
    return character in _SPECIAL or ord(character) < 32 or ord(character) > 126


def equal(attribute: str, value: str) -> str:
    return f"({attribute}={escaped(value)})"


def contains(attribute: str, value: str) -> str:
    return f"({attribute}=*{escaped(value)}*)" if value else f"({attribute}=*)"


def every(*filters: str) -> str:
    """All of them; "" counts for nothing."""
    given = [one for one in filters if one]
    return given[0] if len(given) == 1 else f"(&{''.join(given)})"


def some(filters: Iterable[str]) -> str:
    """Any of them."""
    given = list(filters)
    return given[0] if len(given) == 1 else f"(|{''.join(given)})"


def user(own: str, uids: Iterable[str], name: str) -> str:
    """Whoever logs in by that name."""
    return every(own, some(equal(uid, name) for uid in uids))


def groups_of(dns: Iterable[str], uid: str) -> str:
    """The groups that name one of these as a member: `groupOfNames`, `groupOfUniqueNames`, and `posixGroup` by user name."""
    ways = [equal(attribute, dn) for dn in dns for attribute in ("member", "uniqueMember")]
    return some([*ways, equal("memberUid", uid)] if uid else ways)


def groups_in_chain(dns: Iterable[str]) -> str:
    """The same in Active Directory, through all levels at once."""
    return some(f"(member:{IN_CHAIN}:={escaped(dn)})" for dn in dns)


def binary(attribute: str, value: bytes) -> str:
    """Equal to some bytes, such as an objectGUID or objectSid."""
    return f"({attribute}={''.join(map(_escape, value))})"
