"""A connection to a directory. The one file that knows ldap3, which is dormant: only what is used here is to be replaced.

Referrals are never followed, results that the directory cut short are an error, certificates and host names are checked,
and StartTLS is done before anything else is said, or the connection ends.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ldap3
from ldap3.core import exceptions as ldap

from authsvc.authn.backends.ldap.answers import CutShort, DirectoryDown, Entry, WrongPassword
from authsvc.authn.backends.ldap.settings import CONNECT_SECONDS, READ_SECONDS, SCOPES, LdapSettings

_PAGE = 500
_REFERRAL, _TIME_LIMIT, _SIZE_LIMIT = 10, 3, 4  # RFC 4511 4.1.9: results that ldap3 does not raise
_MOST = 20_000  # entries of one search, however many pages


class Client:
    """One connection; not shared between threads."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def bind(self, dn: str, password: str) -> None:
        """Prove to be that entry.

        Raises:
            WrongPassword: refused; also for an empty name or password, which LDAP would take for nobody (RFC 4513 5.1.2).
            DirectoryDown
        """
        if not dn or not password or "\0" in password:
            raise WrongPassword("an empty name or password proves nothing")
        with _translated():
            self._connection.rebind(user=dn, password=password, authentication=ldap3.SIMPLE)

    def search(self, base: str, filter_: str, attributes: Sequence[str], *, scope: int = 2, most: int = _MOST) -> list[Entry]:
        """Entries below `base`, page by page; at most `most`, and one more to tell that there are more.

        Raises:
            DirectoryDown, CutShort
        """
        found: list[Entry] = []
        cookie = None
        while True:
            with _translated():
                self._connection.search(
                    base,
                    filter_,
                    search_scope=SCOPES[scope],
                    attributes=list(attributes),
                    paged_size=min(_PAGE, most + 1),
                    paged_cookie=cookie,
                )
            _check_whole(self._connection.result)
            found += [_entry(item) for item in self._connection.response or () if item.get("type") == "searchResEntry"]
            controls = (self._connection.result or {}).get("controls") or {}
            cookie = controls.get("1.2.840.113556.1.4.319", {}).get("value", {}).get("cookie")
            if not cookie or len(found) > most:
                return found[: most + 1]

    def root(self) -> Entry:
        """The root DSE (RFC 4512 5.1): who the directory is.

        Raises:
            DirectoryDown
        """
        found = self.search("", "(objectClass=*)", ["*", "+"], scope=0)
        return found[0] if found else Entry("", {})


def _check_whole(result: Mapping[str, Any] | None) -> None:
    code = (result or {}).get("result")
    if code == _REFERRAL:
        raise DirectoryDown("the directory referred us to another one; referrals are not followed")
    if code in (_TIME_LIMIT, _SIZE_LIMIT):
        raise CutShort("the directory gave a part of the entries only (size limit); raise it for our account")


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(item["dn"], {name.lower(): list(values) for name, values in item["raw_attributes"].items()})


@contextmanager
def connected(settings: LdapSettings, *, as_service: bool = True) -> Iterator[Client]:
    """A connection with the service's own account (or nobody's, if it has none).

    Raises:
        DirectoryDown: also when the directory refuses our own account, since then nobody can be looked up.
    """
    connection = _connection(settings)
    try:
        with _translated():
            connection.open(read_server_info=False)
            if settings.starttls:
                connection.start_tls(read_server_info=False)
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


class _Tls(ldap3.Tls):  # type: ignore[misc] # it carries no types
    """TLS by Python's own rules for certificates and host names, in the place of ldap3's, which come from Python 2."""

    def __init__(self, settings: LdapSettings) -> None:
        super().__init__()
        self._host = settings.host
        self._context = ssl.create_default_context()
        if settings.ca:
            self._context.load_verify_locations(cadata=settings.ca)
        if not settings.verify:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)


def _connection(settings: LdapSettings) -> Any:
    server = ldap3.Server(
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
    except (
        ldap.LDAPInvalidCredentialsResult,
        ldap.LDAPUnwillingToPerformResult,
        ldap.LDAPInappropriateAuthenticationResult,
    ) as error:
        raise WrongPassword(str(getattr(error, "message", "") or getattr(error, "description", ""))[:300]) from None
    except ldap.LDAPAdminLimitExceededResult as error:
        raise CutShort("the directory gave a part of the entries only (administrative limit)") from error
    except ldap.LDAPOperationResult as error:
        raise DirectoryDown(f"the directory answered {error.description}: {str(error.message)[:200]}") from error
    except (ldap.LDAPExceptionError, OSError, ValueError) as error:
        raise DirectoryDown(_reason(error)) from error


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
