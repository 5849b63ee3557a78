"""Who is meant where somebody is made a member: users and groups, also those of a directory that we see for the first time."""

from __future__ import annotations

from authsvc.authn import groups as whose
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.authn.onboarding import Proof, onboard
from authsvc.core.db import reading
from authsvc.groups import service as groups
from authsvc.groups.models import UserGroup
from authsvc.groups.rules import GroupName
from authsvc.users import service as users
from authsvc.users.models import User


def user(name: str) -> User:
    """A user by name. Needs a transaction that may write.

    Raises:
        NotFound: neither we nor a directory knows him.
        Unavailable: a directory does not answer.
        InvalidCredentials: the name is somebody else's here.
    """
    return users.find_by_name(name) or ldap.aboard(name) or users.get_by_name(name)


def prospect(name: str) -> Proof | None:
    """What a directory says of somebody who is no user yet; outside of transactions.

    Raises:
        Unavailable: a directory does not answer.
    """
    with reading():
        is_known = users.find_by_name(name) is not None
    return None if is_known else ldap.look_up(name)


def admitted(name: str, proof: Proof | None) -> User:
    """A user by name, or the one that he becomes of whom a directory has said so.

    Raises:
        NotFound
        InvalidCredentials: the name is somebody else's here.
    """
    return users.find_by_name(name) or (users.get(onboard(proof).account_id) if proof is not None else users.get_by_name(name))


def prospective_group(named: GroupName) -> GroupName:
    """A group as its directory has it, if it is new to us; outside of transactions.

    Raises:
        NotFound: its directory has no such group.
        Unavailable: the directory does not answer.
    """
    with reading():
        is_known = groups.find(named) is not None
    return named if is_known else ldap.existing(named)


def group(named: GroupName) -> UserGroup:
    """A group by its name. Needs a transaction that may write.

    Raises:
        NotFound: its directory has no such group.
        Unavailable: the directory does not answer.
    """
    return groups.find(named) or groups.onboard(ldap.existing(named))


def group_named(group_type: int, name: str, dn: str = "", source: str = "") -> GroupName:
    """A group's name by Harbor's fields, see `authn.groups.named`."""
    return whose.named(group_type, name, dn, source)
