"""Logging in with a directory's name and password. Several directories are asked in their order; the first that knows the
name answers for it. Local users' names are never asked about, and nobody's password goes where his name is not from."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import structlog

from authsvc.authn import lockout, sources
from authsvc.authn.backends.ldap import directory
from authsvc.authn.backends.ldap import settings as ldap_settings
from authsvc.authn.backends.ldap.answers import CutShort, DirectoryDown, TooSlow, WrongPassword
from authsvc.authn.backends.ldap.breaker import Breaker, Bulkhead
from authsvc.authn.backends.ldap.directory import Ambiguous, Directory, Person
from authsvc.authn.backends.ldap.settings import LdapSettings
from authsvc.authn.credentials import Basic
from authsvc.authn.onboarding import Proof, onboard
from authsvc.core.db import must_be_free, reading
from authsvc.core.errors import Denied, InvalidCredentials, NotFound, Unavailable
from authsvc.core.own import own
from authsvc.core.repeat import outside
from authsvc.groups.rules import GroupName, GroupType, dn_key
from authsvc.rbac.authority import Credential
from authsvc.users import passwords
from authsvc.users import service as users
from authsvc.users.models import User

T = TypeVar("T")
KIND: Final = "ldap"
_MAX_BREAKERS = 100  # settings that are changed again and again leave some behind

log = structlog.get_logger(component="ldap")


@dataclass(frozen=True, slots=True)
class Named:
    """A directory by the name of its source."""

    name: str
    settings: LdapSettings


class Guard:
    """What a process knows of the directories' health, and how many wait for them."""

    def __init__(self) -> None:
        self.bulkhead = Bulkhead()
        self._breakers: dict[Named, Breaker] = {}

    def breaker(self, named: Named) -> Breaker:
        """The breaker of a directory with just these settings."""
        if len(self._breakers) > _MAX_BREAKERS:
            self._breakers.clear()
        return self._breakers.setdefault(named, Breaker())

    @property
    def knows_of_outages(self) -> bool:
        """True if any directory is known to be down."""
        return any(breaker.reason for breaker in list(self._breakers.values()))


def one_directory(name: str) -> Named:
    """The directory of that name, enabled or not. Needs a transaction.

    Raises:
        NotFound: there is none.
        BadRequest: it is not enabled, and something is missing.
    """
    return Named(name, ldap_settings.parse(sources.get(KIND, name).settings))


def directories() -> list[Named]:
    """The enabled directories, in the order in which they are asked. Needs a transaction."""
    return [Named(name, settings) for name, settings in sources.usable(KIND, ldap_settings.parse)]


def authenticate(credential: Basic) -> Proof | None:
    """Somebody from a directory; None if no directory knows the name, or it is a local user's.

    Raises:
        InvalidCredentials: the directory says that the password is wrong, or several entries have the name.
        Denied: right, and the account is disabled there.
        Unavailable: a directory that might know the name does not answer.
    """
    if not credential.username or not credential.secret:
        return None
    with reading():
        asked = _asked(credential)
    deadline, count = _Deadline(asked), lockout.count_for()
    silent: list[DirectoryDown] = []
    for number, named in enumerate(asked, 1):
        try:
            proof = guarded(named, partial(_prove, named, credential, count), deadline.left)
        except DirectoryDown as error:
            silent.append(error)
        except InvalidCredentials:
            _pretend(asked[number:], credential.username, deadline)
            raise
        else:
            if proof is not None:
                return proof
    if silent:
        raise Unavailable(f"logins by directory do not work now: {_first_sentence(silent[0])}", retry_after=10)
    return None


class _Deadline:
    """A login waits for all of its directories together as long as for the most patient of them."""

    def __init__(self, asked: Sequence[Named]) -> None:
        self._until = time.monotonic() + max((named.settings.timeout for named in asked), default=0.0)

    @property
    def left(self) -> float:
        """Seconds; 0 if they are over."""
        return max(0.0, self._until - time.monotonic())


def refuse_while_down(credential: Basic) -> None:
    """Say so at once if every directory that could know the name is known to be down: before a guess is counted, since it
    will not be looked at.

    Raises:
        Unavailable
    """
    if not own(Guard).knows_of_outages:
        return
    with reading():
        asked = _asked(credential)
    reasons = [own(Guard).breaker(named).reason for named in asked]
    if reasons and all(reasons):
        raise Unavailable(f"logins by directory do not work now: {reasons[0].partition(' (')[0][:200]}", retry_after=10)


def even_out(credential: Basic) -> None:
    """After a wrong password: ask the directories that were not asked about it, as for a name that nobody has, so that nobody
    can tell the two apart by the time. No password goes along."""
    with reading():
        asked = {named.name for named in _asked(credential)}
        others = [named for named in directories() if named.name not in asked]
    _pretend(others, credential.username, _Deadline(others))


def _pretend(others: Sequence[Named], username: str, deadline: _Deadline) -> None:
    for named in others:
        with suppress(DirectoryDown):
            guarded(named, partial(_look_in_vain, named, username), deadline.left)


def _look_in_vain(named: Named, username: str) -> None:
    def question(here: Directory) -> None:
        with suppress(Ambiguous):
            here.find(username)
        _bind_as_nobody(named)

    directory.ask(named.settings, question)


def _bind_as_nobody(named: Named) -> None:
    with suppress(WrongPassword):
        directory.prove(named.settings, f"{named.settings.uids[0]}=nobody,{named.settings.base_dn}", secrets.token_hex(8))


def _asked(credential: Basic) -> Sequence[Named]:
    """Which directories to ask: none for a user who comes from elsewhere, his own for one who came from there. That somebody here
    has the name as e-mail does not keep its owner there from logging in."""
    user = credential.user if credential.user and credential.user.by_name else None
    return [named for named in directories() if user is None or (user.kind, user.source) == (KIND, named.name)]


def _prove(named: Named, credential: Basic, count: Callable[[str], None]) -> Proof | None:
    """Find, bind, and read the groups: one connection with our account, another with the user's. `count`: of `lockout`."""

    def question(here: Directory) -> Proof | None:
        person = here.find(credential.username)
        if person is None:
            _bind_as_nobody(named)
            return None
        count(lockout.entry_of(named.name, person.subject))
        directory.prove(named.settings, person.dn, credential.secret)
        if person.disabled:
            raise Denied(f"the account {person.username} is disabled in the directory {named.name}")
        return proof_of(named, person, here.groups_of(person))

    try:
        return directory.ask(named.settings, question)
    except Ambiguous as error:
        log.warning("ambiguous_name", directory=named.name, reason=str(error))
    except WrongPassword as error:
        log.info("bind_refused", directory=named.name, reason=error.reason)
    passwords.verify(None, credential.secret)  # it takes as long as for a name that no directory has
    raise InvalidCredentials("the user name or password is not right")


def proof_of(named: Named, person: Person, groups: tuple[GroupName, ...]) -> Proof:
    """What the directory says of a person."""
    admins = dn_key(named.settings.admin_dn) if named.settings.admin_dn else None
    return Proof(
        kind=KIND,
        source=named.name,
        subject=person.subject,
        username=person.username,
        email=person.email,
        realname=person.realname,
        groups=groups,
        is_sysadmin=admins is not None and any(group.key == admins for group in groups),
        credential=Credential.PASSWORD,
    )


def guarded(named: Named, question: Callable[[], T], seconds: float | None = None) -> T:
    """Ask with an end to the wait (the directory's own, or `seconds` if that is less), unless the directory is known to be
    down. What it answers, also if unwelcome, counts as an answer; so does what comes when nobody waits any longer.

    Raises:
        DirectoryDown, and what the question raises.
    """
    must_be_free("asking a directory")
    guard = own(Guard)
    breaker = guard.breaker(named)
    breaker.before()
    limit = named.settings.timeout
    try:
        return guard.bulkhead.run(partial(_counted, named, breaker, question), limit if seconds is None else min(seconds, limit))
    except TooSlow as error:
        _note_failure(named, breaker, error)
        raise


def _counted(named: Named, breaker: Breaker, question: Callable[[], T]) -> T:
    try:
        answer = question()
    except CutShort:
        breaker.worked()
        raise
    except DirectoryDown as error:
        _note_failure(named, breaker, error)
        raise
    except Exception:
        breaker.worked()
        raise
    breaker.worked()
    return answer


def _note_failure(named: Named, breaker: Breaker, error: DirectoryDown) -> None:
    breaker.failed(str(error))
    log.warning("directory_down", directory=named.name, reason=str(error))


def aboard(username: str) -> User | None:
    """A person of a directory as a user, without a login: somebody makes him a member. None if no directory knows him.
    Needs a transaction that may write; the directories are asked outside of it.

    Raises:
        Unavailable: a directory does not answer.
        InvalidCredentials: the name is somebody else's here.
    """
    proof = outside(("directories", username), lambda: look_up(username))
    return users.get(onboard(proof).account_id) if proof is not None else None


def look_up(username: str) -> Proof | None:
    """What the directories say of somebody, in no transaction; None if none knows him.

    Raises:
        Unavailable, NotFound: as `asking`.
    """
    with reading():
        asked = directories()
    for named in asked:
        found = asking(named, lambda here: (person, here.groups_of(person)) if (person := here.find(username)) else None)
        if found is not None:
            return proof_of(named, *found)
    return None


def existing(named: GroupName) -> GroupName:
    """A group that is new to us, as its directory has it, if it is of one; the directory is asked outside of a transaction.

    Raises:
        NotFound: the directory has no such group.
        Unavailable: the directory does not answer.
    """
    if named.type is not GroupType.LDAP:
        return named
    return outside(("group", named.source, named.key), lambda: _look_up_group(named))


def _look_up_group(named: GroupName) -> GroupName:
    with reading():
        asked = next((one for one in directories() if one.name == named.source), None)
    if asked is None:
        return named  # nobody can be asked
    found = asking(asked, lambda here: here.matching_groups(dn=named.dn))
    if not found:
        raise NotFound(f"the directory {named.source} has no group {named.dn}")
    return named if named.name != named.dn else replace(named, name=found[0].name)


def asking(named: Named, question: Callable[[Directory], T]) -> T:
    """Ask one directory on behalf of an administrator.

    Raises:
        Unavailable: it does not answer.
        NotFound: the name stands for several entries.
    """
    try:
        return guarded(named, lambda: directory.ask(named.settings, question))
    except DirectoryDown as error:
        raise Unavailable(f"the directory {named.name} does not answer: {error}", retry_after=10) from error
    except Ambiguous as error:
        raise NotFound(str(error)) from error


def _first_sentence(error: DirectoryDown) -> str:
    """The reason without the details that are for administrators."""
    return str(error).partition(" (")[0][:200]
