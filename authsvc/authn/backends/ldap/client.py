"""A connection to a directory. The one file that knows ldap3, which is dormant: only what is used here is to be replaced.

Referrals are never followed, results that the directory cut short are an error, certificates and host names are checked,
StartTLS is done before anything else is said, or the connection ends, and so does one that takes too long in all.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import ldap3
from ldap3.core import exceptions as ldap

from authsvc.authn.backends.ldap.addresses import can_be_at
from authsvc.authn.backends.ldap.answers import CutShort, DirectoryDown, Entry, WrongPassword
from authsvc.authn.backends.ldap.settings import CONNECT_SECONDS, READ_SECONDS, SCOPES, LdapSettings

_PAGED, _PAGE = "1.2.840.113556.1.4.319", 500  # RFC 2696
_ANY = "(objectClass=*)"
_SUCCESS, _TIME_LIMIT, _SIZE_LIMIT, _REFERRAL = 0, 3, 4, 10  # RFC 4511 4.1.9; ldap3 raises none of these
_TRUSTED_FOR = 600.0  # seconds until the system's authorities are read again
_MOST, _MOST_PAGES = 20_000, 1_000  # entries of one search, and the pages they may come in (some may be empty)

# How directories refuse a bind: beside "invalid credentials" for locked and inactive accounts, and names that they do not have.
_REFUSALS = (
    ldap.LDAPInvalidCredentialsResult,
    ldap.LDAPUnwillingToPerformResult,
    ldap.LDAPInappropriateAuthenticationResult,
    ldap.LDAPConstraintViolationResult,
    ldap.LDAPNoSuchObjectResult,
    ldap.LDAPInvalidDNSyntaxResult,
)


class _NoEntry(DirectoryDown):
    """There is no entry of that name to search below; whether that is a fault is for who asked to say."""


class Client:
    """One connection; not shared between threads."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def bind(self, dn: str, password: str) -> None:
        """Prove to be that entry. The password goes as it is (RFC 4511 4.2): what ldap3 makes of texts refuses some.

        Raises:
            WrongPassword: refused; also for an empty name or password, which LDAP would take for nobody (RFC 4513 5.1.2).
            DirectoryDown
        """
        if not dn or not password or "\0" in password:
            raise WrongPassword("an empty name or password proves nothing")
        with _translated():
            try:
                self._connection.rebind(user=dn, password=password.encode(), authentication=ldap3.SIMPLE)
            except _REFUSALS as error:
                raise WrongPassword(_said(error)) from None
        # ldap3 raises for most results that are none, and not for some (a referral, a SASL challenge).
        if (code := (self._connection.result or {}).get("result")) != _SUCCESS:
            raise DirectoryDown(f"the directory answered a login with result {code}")

    def search(self, base: str, filter_: str, attributes: Sequence[str], *, scope: int = 2, most: int = _MOST) -> list[Entry]:
        """Entries below `base`, page by page; at most `most`, and one more to tell that there are more.

        Raises:
            DirectoryDown, CutShort
        """
        found: list[Entry] = []
        cookie = None
        for _ in range(_MOST_PAGES):
            with _translated():
                self._connection.search(
                    base,
                    filter_,
                    search_scope=SCOPES[scope],
                    attributes=list(attributes),
                    paged_size=min(_PAGE, most + 1),
                    paged_cookie=cookie,
                )
                result, answers = self._connection.result, self._connection.response or ()
                _check_whole(result["result"])
                found += [_entry(item) for item in answers if item["type"] == "searchResEntry"]
                cookie = result.get("controls", {}).get(_PAGED, {}).get("value", {}).get("cookie")
            if not cookie or len(found) > most:
                return found[: most + 1]
        raise CutShort(f"the directory has more than {_MOST_PAGES} pages of entries for us")

    def read(self, dn: str, attributes: Sequence[str], filter_: str = _ANY) -> Entry | None:
        """One entry by its DN; None if there is none, or it does not fit the filter, or that is no DN.

        Raises:
            DirectoryDown
        """
        try:
            found = self.search(dn, filter_, attributes, scope=0, most=1)
        except _NoEntry:
            return None
        return found[0] if found else None

    def root(self) -> Entry:
        """The root DSE (RFC 4512 5.1): who the directory is.

        Raises:
            DirectoryDown
        """
        return self.read("", ["*", "+"]) or Entry("", {})

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The directory's certificate as `ssl` describes it; empty without TLS, or if it was not checked."""
        channel = self._connection.socket
        return channel.getpeercert() or {} if isinstance(channel, ssl.SSLSocket) else {}


def _check_whole(code: int) -> None:
    if code == _REFERRAL:
        raise DirectoryDown("the directory referred us to another one; referrals are not followed")
    if code in (_TIME_LIMIT, _SIZE_LIMIT):
        raise CutShort("the directory gave a part of the entries only (size limit); raise it for our account")
    if code != _SUCCESS:
        raise DirectoryDown(f"the directory answered a search with result {code}")


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(item["dn"], {name.lower(): list(values) for name, values in item["raw_attributes"].items()})


@contextmanager
def connected(settings: LdapSettings, *, as_service: bool = True, seconds: float | None = None) -> Iterator[Client]:
    """A connection with the service's own account (or nobody's, if it has none), which ends after so many `seconds`: by itself
    a little later than anybody waits for a login.

    Raises:
        DirectoryDown: also when the directory refuses our own account, since then nobody can be looked up.
    """
    connection = _connection(settings)
    with _ending(connection, settings.timeout + READ_SECONDS if seconds is None else seconds):
        yield from _opened(connection, settings, as_service=as_service)


@contextmanager
def _ending(connection: Any, seconds: float) -> Iterator[None]:
    """Hang up when the time is over. Timeouts are for single answers of the network: a directory that sends a byte now and
    then would hold a thread for ever.

    Raises:
        DirectoryDown: it is over, where there would be another.
    """
    ended, overdue = threading.Event(), threading.Event()

    def watch() -> None:
        wait = seconds
        while not ended.wait(wait):  # once may be too early: the socket is another one while TLS begins
            overdue.set()
            with suppress(Exception):
                socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
            wait = 1.0

    threading.Thread(target=watch, daemon=True, name="ldap-watch").start()
    try:
        yield
    except DirectoryDown as error:
        if overdue.is_set():
            raise DirectoryDown("the directory did not answer in time") from error
        raise
    finally:
        ended.set()


def _opened(connection: Any, settings: LdapSettings, *, as_service: bool) -> Iterator[Client]:
    try:
        with _translated():
            connection.open(read_server_info=False)
            # Else each small question waits until the one before is acknowledged, which takes forty milliseconds.
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if settings.starttls:
                connection.start_tls(read_server_info=False)
        _require_tls(connection, settings)
        client = Client(connection)
        if as_service and settings.bind_dn:
            try:
                client.bind(settings.bind_dn, settings.bind_password)
            except WrongPassword as error:
                raise DirectoryDown(f"the directory refuses our own account {settings.bind_dn}: {error.reason}") from error
        yield client
    finally:
        with suppress(Exception):  # whatever state it is in
            connection.unbind()
        with suppress(Exception):  # ldap3 forgets sockets whose handshake failed
            connection.socket.close()


def _require_tls(connection: Any, settings: LdapSettings) -> None:
    """Whatever ldap3 thinks of it: nothing is said in the clear where TLS is wanted."""
    if (settings.tls or settings.starttls) and not isinstance(connection.socket, ssl.SSLSocket):
        raise DirectoryDown("the directory does not start TLS, and without it nothing is said to it")


class _Tls(ldap3.Tls):  # type: ignore[misc] # it carries no types
    """TLS by Python's own rules for certificates and host names, in the place of ldap3's, which come from Python 2."""

    def __init__(self, settings: LdapSettings) -> None:
        super().__init__()
        self._host = settings.host
        self._context = _trust(settings.ca, settings.verify, time.monotonic() // _TRUSTED_FOR)

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)


@lru_cache(maxsize=16)
def _trust(ca: str, verify: bool, period: float) -> ssl.SSLContext:
    """Whom we trust, in a `period` of time: reading the system's authorities takes longer than all the rest of a login."""
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cadata=ca)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Server(ldap3.Server):  # type: ignore[misc] # it carries no types
    """Connects to addresses that a directory can be at. What is checked is what is connected to: names are resolved once."""

    def candidate_addresses(self) -> list[Any]:
        found = [address for address in super().candidate_addresses() if can_be_at(str(address[4][0]))]
        if not found:
            raise DirectoryDown(f"{self.host} is no address that a directory can be at")
        return found


def _connection(settings: LdapSettings) -> Any:
    server = _Server(
        settings.host,
        port=settings.port,
        use_ssl=settings.tls,
        tls=_Tls(settings),
        get_info=ldap3.NONE,
        connect_timeout=CONNECT_SECONDS,
    )
    return ldap3.Connection(
        server,
        auto_bind=ldap3.AUTO_BIND_NONE,
        auto_referrals=False,
        raise_exceptions=True,
        read_only=True,
        check_names=False,
        receive_timeout=READ_SECONDS,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """ldap3's errors in our words; no message holds a password."""
    try:
        yield
    except (DirectoryDown, WrongPassword):
        raise
    except ldap.LDAPAdminLimitExceededResult as error:
        raise CutShort("the directory gave a part of the entries only (administrative limit)") from error
    except (ldap.LDAPNoSuchObjectResult, ldap.LDAPInvalidDNSyntaxResult) as error:
        raise _NoEntry(_said(error)) from error
    except ldap.LDAPOperationResult as error:
        raise DirectoryDown(_said(error)) from error
    except (ldap.LDAPExceptionError, OSError) as error:
        raise DirectoryDown(_reason(error)) from error
    except Exception as error:  # of any kind: ldap3 trusts what it reads, and falls over what is no LDAP
        raise DirectoryDown(f"the directory's answer cannot be read ({type(error).__name__})") from error


def _said(error: Any) -> str:
    return f"the directory answered {error.description}: {str(error.message)[:200]}"


def _reason(error: Exception) -> str:
    text = str(error)
    for sign, meaning in (
        ("certificate verify failed", "the directory's certificate is not one we trust, or not for its host name"),
        ("hostname", "the directory's certificate is for another host name"),
        ("timed out", "the directory did not answer in time"),
        ("refused", "the directory refuses connections"),
    ):
        if sign in text.lower():
            return f"{meaning} ({text[:200]})"
    return f"the directory cannot be reached ({text[:200] or type(error).__name__})"
