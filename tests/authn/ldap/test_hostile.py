"""Whatever a server answers, a login is right, wrong, or an outage: nothing else gets out, and no password in the clear."""

from __future__ import annotations

import random
import socket
import threading

import pytest

from authsvc.authn.backends.ldap import directory
from authsvc.authn.backends.ldap.answers import CutShort, DirectoryDown, WrongPassword
from authsvc.authn.backends.ldap.backend import Named
from authsvc.authn.backends.ldap.directory import Ambiguous, Person
from authsvc.authn.backends.ldap.settings import LdapSettings, parse
from authsvc.authn.backends.ldap.trace import trace
from tests.support.fakeldap import BIND, EXTENDED, SEARCH, Answer, entry, fake_ldap, result
from tests.support.faultproxy import fault_proxy
from tests.support.slapd import Slapd

DN, SECRET = "uid=alice,dc=example,dc=com", "canary-of-alice"


def settings(port: int, **changes: object) -> LdapSettings:
    given: dict[str, object] = {
        "ldap_url": f"ldap://127.0.0.1:{port}",
        "ldap_base_dn": "dc=example,dc=com",
        "ldap_uid": "uid",
        "ldap_group_base_dn": "ou=groups,dc=example,dc=com",
    }
    return parse(given | changes)


@pytest.mark.parametrize("code", [*range(127)])
def test_only_success_proves_a_password(code: int) -> None:
    """A referral (10) and a SASL challenge (14) are no error to ldap3, and no proof to us."""
    with fake_ldap(lambda tag, message_id: result(tag, message_id, code)) as fake:
        if code == 0:
            directory.prove(settings(fake.port), DN, SECRET)
            return
        with pytest.raises((WrongPassword, DirectoryDown)) as caught:
            directory.prove(settings(fake.port), DN, SECRET)
    refused = {19, 32, 34, 48, 49, 53}
    assert isinstance(caught.value, WrongPassword) == (code in refused)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("code", [*range(1, 127)])
def test_a_search_that_did_not_succeed_is_no_answer(code: int) -> None:
    with fake_ldap(lambda tag, message_id: result(tag, message_id, code)) as fake, pytest.raises(DirectoryDown) as caught:
        directory.ask(settings(fake.port), lambda here: here.find("alice"))
    assert isinstance(caught.value, CutShort) == (code in (3, 4, 11))


def stripping(what: str) -> Answer:
    """Ways to answer StartTLS without starting it."""

    def answer(tag: int, message_id: int) -> bytes:
        if tag != EXTENDED:
            return result(tag, message_id, 0)
        return {
            "refuses": result(tag, message_id, 2),
            "is busy": result(tag, message_id, 51),
            "says yes and goes on in the clear": result(tag, message_id, 0),
            "says yes and binds us already": result(tag, message_id, 0) + result(BIND, message_id + 1, 0),
            "answers something else": result(BIND, message_id, 0),
            "answers another request": result(tag, message_id + 7, 0),
            "ends": b"",
        }[what]

    return answer


@pytest.mark.parametrize(
    "what",
    [
        "refuses",
        "is busy",
        "says yes and goes on in the clear",
        "says yes and binds us already",
        "answers something else",
        "answers another request",
        "ends",
    ],
)
def test_no_password_without_the_tls_that_is_required(what: str) -> None:
    with fake_ldap(stripping(what)) as fake:
        required = settings(fake.port, ldap_starttls=True, ldap_search_dn=DN, ldap_search_password=SECRET)
        with pytest.raises(DirectoryDown):
            directory.ask(required, lambda here: here.find("alice"))
        with pytest.raises(DirectoryDown):
            directory.prove(required, DN, SECRET)
        assert SECRET.encode() not in fake.seen


def _people(message_id: int, *values: bytes) -> bytes:
    """A search's answer with one entry."""
    attributes = {"uid": list(values), "memberOf": [b"cn=a,dc=example", b"cn=b,dc=example"], "entryUUID": [b"1234"]}
    return entry(message_id, DN, **attributes) + result(SEARCH, message_id, 0)


def test_several_names_in_one_entry_are_nobodys() -> None:
    def answer(tag: int, message_id: int) -> bytes:
        return _people(message_id, b"alice", b"root") if tag == SEARCH else result(tag, message_id, 0)

    with fake_ldap(answer) as fake, pytest.raises(Ambiguous, match="several values"):
        directory.ask(settings(fake.port), lambda here: here.find("alice"))


def test_noise_is_an_outage() -> None:
    """An honest answer with some bytes changed, cut off or put in: somebody, nobody, or an outage."""
    noise = random.Random(5)

    def disturbed(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(noise.randint(1, 6)):
            place = noise.randrange(len(changed))
            way = noise.randrange(3)
            if way == 0:
                changed[place] = noise.randrange(256)
            elif way == 1:
                changed[place:place] = noise.randbytes(noise.randint(1, 4))
            elif len(changed) > 2:
                del changed[place]
        return bytes(changed)

    def answer(tag: int, message_id: int) -> bytes:
        return disturbed(_people(message_id, b"alice") if tag == SEARCH else result(tag, message_id, 0))

    outcomes: dict[str, int] = {}
    with fake_ldap(answer) as fake:
        impatient = settings(fake.port)
        for _ in range(120):
            try:
                found = directory.ask(impatient, _look)
            except (DirectoryDown, Ambiguous, WrongPassword) as error:
                outcomes[type(error).__name__] = outcomes.get(type(error).__name__, 0) + 1
            else:
                assert found is None or isinstance(found, Person)
    assert outcomes.get("DirectoryDown", 0) > 20


def _look(here: directory.Directory) -> Person | None:
    here.client._connection.receive_timeout = 0.05  # bytes that were cut off do not come
    here.client._connection.socket.settimeout(0.05)
    person = here.find("alice")
    if person is not None:
        here.groups_of(person)
    return person


@pytest.mark.parametrize("tls", [False, True])
def test_bytes_that_come_now_and_then_hold_nobody_for_long(directory_server: Slapd, tls: bool) -> None:
    """Each of them comes in time, and all of them would take minutes."""
    with fault_proxy(directory_server.tls_port if tls else directory_server.port) as proxy:
        url = f"{'ldaps' if tls else 'ldap'}://localhost:{proxy.port}"
        here = parse(directory_server.settings(ldap_url=url, ldap_timeout=1))

        def question(asked: directory.Directory) -> None:
            proxy.set("slow")
            for _ in range(50):
                asked.find("alice")

        with pytest.raises(DirectoryDown, match="in time"):
            directory.ask(here, question)
        assert not [thread for thread in threading.enumerate() if thread.name == "ldap-watch" and not _ends(thread)]


def _ends(thread: threading.Thread) -> bool:
    thread.join(2)
    return not thread.is_alive()


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "224.0.0.1", "0.0.0.0", "[fe80::1]", "[::ffff:169.254.169.254]", "[ff02::1]", "255.255.255.255"]
)
def test_no_directory_is_at_a_special_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("not even a first packet is sent there")

    monkeypatch.setattr(socket.socket, "connect", connect)
    here = parse({"ldap_url": f"ldap://{host}:389", "ldap_base_dn": "dc=x", "ldap_uid": "uid"})
    with pytest.raises(DirectoryDown, match="no address that a directory can be at"):
        directory.ask(here, lambda it: it.find("alice"))
    steps = trace(Named("special", here))
    assert [(step.name, step.ok) for step in steps[:3]] == [("URL", True), ("DNS", False), ("TCP", None)]
    assert "no address" in steps[1].detail
