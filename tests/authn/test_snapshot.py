"""No stale answers: a change in one process is known in all of them before their next answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authsvc.authn.credentials import Basic, Bearer, parse
from authsvc.core import versioning
from authsvc.core.db import Base, db
from authsvc.core.errors import InvalidCredentials, Unavailable
from authsvc.core.settings import Settings
from authsvc.core.versioning import PolicyRelevant
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.passwords import choose
from authsvc.wsgi import Front
from tests.support.world import World, basic

SCOPE = "repository:web/a:pull,push,delete"


@pytest.fixture
def other(world: World, settings: Settings) -> Iterator[World]:
    """A second process on the same database, as far as memory goes; it knows alice already."""
    world.user("alice")
    world.project("web", 1)
    world.member("web", "alice", Role.DEVELOPER)
    second = World(Front(settings))
    assert second.granted(SCOPE, who="alice") == {"web/a": ["pull", "push"]}
    yield second
    second.close()


def role_changed() -> None:
    members.set_role(operator("t"), projects.get_by_name("web"), 2, Role.GUEST)


def role_removed() -> None:
    members.remove("t", projects.get_by_name("web"), 2)


def user_disabled() -> None:
    users.set_disabled("t", users.get_by_name("alice"), True)


def user_deleted() -> None:
    users.delete("t", users.get_by_name("alice"))


def password_changed() -> None:
    chosen = choose("something else entirely")
    users.set_password("t", users.get_by_name("alice"), chosen)


@pytest.mark.parametrize(
    ("change", "status", "left"),
    [
        (role_changed, 200, ["pull"]),
        (role_removed, 200, []),
        (user_disabled, 403, None),
        (user_deleted, 401, None),
        (password_changed, 401, None),
    ],
)
def test_the_next_answer_elsewhere_knows(
    world: World, other: World, change: Callable[[], None], status: int, left: list[str] | None
) -> None:
    with world.changes():
        change()
    response = other.token(SCOPE, who="alice")
    assert response.status_code == status
    if left is not None:
        assert other.granted(SCOPE, who="alice") == {"web/a": left}


def test_projects_made_public_private_deleted_and_made_again(world: World, other: World) -> None:
    for public, expected in ((True, ["pull"]), (False, []), (True, ["pull"])):
        with world.changes():
            projects.update(operator("t"), projects.get_by_name("web"), {"public": str(public).lower()})
        assert other.granted(SCOPE) == {"web/a": expected}
    with world.changes():
        projects.delete("t", projects.get_by_name("web"))
    assert other.granted(SCOPE, who="alice") == {"web/a": []}
    world.project("web", 1)
    assert other.granted(SCOPE, who="alice") == {"web/a": []}, "an old role must not open the new project"


def test_what_is_rolled_back_changes_nothing(world: World, other: World) -> None:
    with world.front.flask.app_context():
        before = versioning.current()
        role_removed()
        db.session.flush()
        db.session.rollback()
        db.session.commit()
        assert versioning.current() == before
    assert other.granted(SCOPE, who="alice") == {"web/a": ["pull", "push"]}


def test_bulk_statements_count_too(world: World) -> None:
    with world.changes():
        before = versioning.current()
        db.session.execute(db.update(User).values(disabled=False))
        db.session.commit()
        assert versioning.current() == before + 1


def test_a_login_changes_no_policy(world: World, other: World) -> None:
    """Else every `docker login` would make every process forget everything."""
    with world.front.flask.app_context():
        before = versioning.current()
        db.session.rollback()
    assert "refresh_token" in other.token(who="alice", offline_token="true").get_json()
    with world.front.flask.app_context():
        assert versioning.current() == before
        db.session.rollback()


def test_every_table_with_rights_in_it_takes_part() -> None:
    relevant = {mapper.class_.__name__ for mapper in Base.registry.mappers if issubclass(mapper.class_, PolicyRelevant)}
    assert relevant == {
        "ConfigurationValue",
        "GroupMembership",
        "IdentitySource",
        "Project",
        "ProjectMember",
        "Robot",
        "RobotPermission",
        "Secret",
        "SigningLeaf",
        "TrustRule",
        "User",
        "UserGroup",
        "UserIdentity",
    }


def test_without_the_database_nothing_is_decided(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.granted("repository:web/a:pull") == {"web/a": []}

    def broken() -> int:
        raise Unavailable("the database does not answer", retry_after=5)

    monkeypatch.setattr(world.front._token._snapshots, "_reader", broken)
    response = world.token("repository:web/a:pull")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.get_json()["errors"][0]["code"] == "UNAVAILABLE"


@pytest.mark.parametrize("header", ["Basic", "Basic ###", "Basic YWxpY2U=", "Basic AAA6", "Digest x", "Bearer ", "x" * 9000])
def test_headers_that_cannot_be_read_are_wrong_not_absent(header: str) -> None:
    with pytest.raises(InvalidCredentials):
        parse(header)


def test_headers_that_can() -> None:
    assert parse("") is None
    assert parse("bearer abc") == Bearer("abc")
    assert parse(basic("a", "b:c")["Authorization"]) == Basic("a", "b:c")
    assert "geheim" not in repr(parse(basic("a", "geheim")["Authorization"]))
