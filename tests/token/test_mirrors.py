"""Names that stand without their project, at the host of a mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authsvc.core.settings import Settings, SettingsError
from authsvc.wsgi import Front
from tests.support.world import World, basic, granted_by

MIRROR = {"X-Mirror-Host": "mirror.example.com"}


@pytest.fixture
def world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(mirror_hosts=("mirror.example.com=hub",), mirror_namespaces=("docker.io=hub",))))
    made.user("admin", sysadmin=True)
    made.project("hub", 1, public=True)
    made.project("library", 1)
    yield made
    made.close()


def scopes(world: World, headers: dict[str, str], **query: str) -> dict[str, list[str]]:
    asked = {"service": "harbor-registry", "scope": "repository:library/busybox:pull"} | query
    answer = world.client.get("/service/token", query_string=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    return granted_by(str(answer.get_json()["token"]))


def test_a_token_is_for_what_the_name_means_there(world: World) -> None:
    assert scopes(world, MIRROR) == {"hub/library/busybox": ["pull"]}
    assert scopes(world, {}) == {"library/busybox": []}, "at our own host it is another repository, and a private one"
    assert scopes(world, MIRROR) == {"hub/library/busybox": ["pull"]}, "whatever was answered before"
    assert scopes(world, {"X-Mirror-Host": "other.example.com"}) == {"library/busybox": []}
    form = {"service": "harbor-registry", "scope": "repository:library/busybox:pull", "grant_type": "password"}
    form |= {"username": "admin", "password": basic.__defaults__[0]} if basic.__defaults__ else {}
    answer = world.client.post("/service/token", data=form, headers=MIRROR)
    assert granted_by(str(answer.get_json()["token"])).keys() == {"hub/library/busybox"}


@pytest.mark.parametrize("path", ["hub/library/busybox/manifests/v1", "hub/library/busybox/tags/list"])
def test_a_challenge_asks_for_the_name_as_it_is_there(world: World, path: str) -> None:
    realms = {}
    for where, headers in (("mirror", MIRROR), ("here", {})):
        told = {"X-Gate-Method": "GET", "X-Gate-Uri": f"/v2/{path}", "X-Real-IP": "192.0.2.7", "Authorization": "Bearer wrong"}
        gate = world.client.get("/internal/gate", headers=told | headers).headers["X-Gate-Challenge"]
        listed = world.client.get(f"/v2/{path}", headers={"Authorization": "Bearer wrong"} | headers)
        realms[where] = {gate, listed.headers["WWW-Authenticate"]}
    assert [len(found) for found in realms.values()] == [1, 1], "one challenge, whoever says it"
    (there,), (here,) = realms["mirror"], realms["here"]
    assert there.startswith('Bearer realm="https://mirror.example.com:8443/service/token"'), there
    assert 'scope="repository:library/busybox:pull"' in there
    assert here.startswith('Bearer realm="https://localhost:8443/service/token"'), here
    assert 'scope="repository:hub/library/busybox:pull"' in here


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mirror_hosts", "hub"),
        ("mirror_hosts", "a b=hub"),
        ("mirror_hosts", "a;}=hub"),
        ("mirror_hosts", "mirror.example.com:8443=hub"),
        ("mirror_hosts", "mirror.example.com=Hub"),
        ("mirror_hosts", "mirror.example.com=hub/x"),
        ("mirror_hosts", "localhost=hub"),
        ("mirror_namespaces", "docker.io"),
        ("mirror_namespaces", "docker.io=$hub"),
    ],
)
def test_what_cannot_stand_in_nginx_configuration_is_refused(
    make_settings: Callable[..., Settings], name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        make_settings(**{name: (value,)})
