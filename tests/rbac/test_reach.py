"""What lists show is what the decision allows, for whoever asks: asked for each object, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from authsvc.core.db import db, utcnow
from authsvc.projects import service as projects
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can, why
from authsvc.rbac.principal import EVERYWHERE, SYSTEM, Principal, ProjectRef
from authsvc.rbac.reach import reach
from authsvc.repositories import service as repositories
from tests.rbac.principals import KNOWN, PLACES, principals
from tests.support.world import World

PROJECTS = [ProjectRef(id_, name, public=public) for id_ in PLACES if id_ > SYSTEM for name in "w" for public in (True, False)]
REPOSITORIES = ("w/a", "w/frontend-x", "w/deep/a")


@given(who=principals())
def test_it_is_the_decision_the_other_way_round(who: Principal) -> None:
    for permission in KNOWN:
        reached = reach(who, permission)
        for project in PROJECTS:
            assert reached.holds(project) == (why(who, permission, project) is not None), (permission, project)
            for repository in REPOSITORIES:
                assert reached.holds_on(project, repository) == can(who, permission, project, repository), (
                    permission,
                    repository,
                )


@pytest.fixture
def estate(world: World) -> World:
    """Projects of every place that principals are made for, the second one public, with repositories."""
    with world.changes():
        for number in (1, 2, 3):
            project = projects.create("t", 1, f"p{number}", {"public": str(number == 2).lower()})
            assert project.id == number
            for name in ("a", "frontend-x", "frontxend", "front_end", "deep/a", "b"):
                repositories.ensure(f"{project.name}/{name}", utcnow())
    return world


READ, LIST, PULL = (
    Permission(resource, action)
    for resource, action in (
        (Resource.PROJECT, Action.READ),
        (Resource.REPOSITORY, Action.LIST),
        (Resource.REPOSITORY, Action.PULL),
    )
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(who=principals())
def test_lists_show_exactly_that(estate: World, who: Principal) -> None:
    with estate.front.flask.app_context():
        all_projects = {project.id: project.ref for project in db.session.scalars(projects.all_projects())}
        listed = {project.id for project in db.session.scalars(projects.readable_by(who))}
        assert listed == {id_ for id_, project in all_projects.items() if can(who, READ, project)}
        everything = list(db.session.scalars(repositories.in_reach(Principal("user", 1, "x", is_sysadmin=True))))
        for permission in (LIST, PULL):
            shown = {repository.name for repository in db.session.scalars(repositories.in_reach(who, permission))}
            allowed = {one.name for one in everything if can(who, permission, all_projects[one.project_id], one.name)}
            assert shown == allowed, permission
        db.session.rollback()


def test_nobody_is_made_for_nothing() -> None:
    """The principals above do reach something, and not everything."""
    seen: list[Any] = []

    @given(who=principals())
    def look(who: Principal) -> None:
        seen.extend(reach(who, permission).holds(project) for permission in (READ, PULL) for project in PROJECTS)

    look()
    assert {True, False} == set(seen)
    assert EVERYWHERE in PLACES
