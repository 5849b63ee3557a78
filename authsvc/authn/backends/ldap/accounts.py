"""What directories say, in attributes of an entry, of an account that may not be used, and of its primary group. Pure.

A lock after wrong passwords is not among it: else strangers could end other people's tokens by guessing.
"""

from __future__ import annotations

import struct

from authsvc.authn.backends.ldap.answers import Entry

# The names stand where each is read, below.
ATTRIBUTES = ("userAccountControl", "accountExpires", "pwdAccountLockedTime", "nsAccountLock", "objectSid", "primaryGroupID")
_DISABLED = 0x2  # ADS_UF_ACCOUNTDISABLE
_NEVER = (0, 2**63 - 1)
_1601 = 11_644_473_600  # seconds from 1601 to 1970
_BY_ADMINISTRATOR = "000001010000Z"


def is_disabled(entry: Entry, now: float) -> bool:
    """True if the account may not be used at all: disabled or expired in Active Directory (MS-ADTS 2.2.16 and accountExpires in
    MS-ADA1, in 100 ns since 1601), locked by an administrator of OpenLDAP (draft-behera-ldap-password-policy 5.3.3), or of
    FreeIPA and 389 Directory Server (nsAccountLock). `now` in seconds since 1970."""
    control, expires = _number(entry, "userAccountControl"), _number(entry, "accountExpires")
    return (
        bool(control & _DISABLED)
        or (expires not in _NEVER and expires / 10_000_000 - _1601 <= now)
        or entry.first("pwdAccountLockedTime") == _BY_ADMINISTRATOR
        or entry.first("nsAccountLock").lower() == "true"
    )


def primary_group(entry: Entry) -> bytes:
    """The SID of the group that an account of Active Directory is in without being a member (MS-ADTS primaryGroupID: its last
    part, in the account's own domain); empty if there is none."""
    sid, group = entry.raw("objectSid"), _number(entry, "primaryGroupID")
    return sid[:-4] + struct.pack("<I", group) if len(sid) >= 12 and 0 < group < 2**32 else b""


def _number(entry: Entry, name: str) -> int:
    text = entry.first(name)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0
