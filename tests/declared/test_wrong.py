"""What is wrong in a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.declared.house import error, rows, write
from tests.support.console import Run
from tests.support.world import World

WRONG = [
    ("projects: [{name: web, membrs: []}]", "projects[0].membrs: there is no such field; there are immutable_tag_rules"),
    ("projects: [{name: web, robots: [{nme: x}]}]", "projects[0].robots[0].nme: there is no such field"),
    ("projects: [{name: web, members: [{user: bob, role: king}]}]", "projects[0].members[0].role: Must be one of"),
    ("projects: [{name: web, members: [{role: guest}]}]", "either a user or a group"),
    ("projects: [{name: web, members: [{user: nobody, role: guest}]}]", "project web: member user nobody: user nobody not found"),
    ("projects: [{name: web}, {name: web}]", "project web stands twice"),
    ("projects: [{name: Web}]", "project Web: a project name has"),
    ("projects: [{name: web, owner: nobody}]", "project web: user nobody not found"),
    ("projects: [{name: web, metadata: {pubic: true}}]", "project web: metadata pubic cannot be set"),
    ("projects: [{name: web, metadata: {retention_id: 3}}]", "project web: metadata retention_id cannot be set"),
    ("projects: [{name: web, metadata: {public: perhaps}}]", "project web: invalid value: perhaps"),
    ("projects: [{name: web, storage_limit: -7}]", "project web: "),
    ("projects: {name: web}", "projects: "),
    ("configuration: {self_registrtion: true}", "configuration self_registrtion: there is no such item"),
    ("configuration: {self_registration: perhaps}", "configuration self_registration: self_registration must be of type bool"),
    ("configuration: {ldap_search_password: x}", "configuration ldap_search_password is a secret"),
    ("labels: [{name: {env: NO_SUCH_VARIABLE}}]", "labels[0].name: there is no environment variable NO_SUCH_VARIABLE"),
    ("labels: [{name: {file: /no/such/file}}]", "labels[0].name: [Errno 2]"),
    ("labels: [{name: a}]\nlabels: [{name: b}]", "labels stands twice"),
    (
        "robots: [{name: x, permissions: [{kind: project, namespace: web, access: [{resource: tea, action: drink}]}]}]",
        "robot x: ",
    ),
    ("users: [{username: alice, email: nothing}]", "user alice: that is no e-mail address"),
    ("- web", "no mapping"),
    ("a: [", "cannot be read"),
    ("a: !!python/object/apply:os.system [true]", "cannot be read"),
    ("a: &a [*a]", "anchors"),
    (
        "a: &a [1,1]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "anchors",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
@pytest.mark.once
def test_what_is_wrong_is_said_with_its_place_and_nothing_is_done(
    world: World, run: Run, tmp_path: Path, text: str, said: str
) -> None:
    before = rows(world)
    assert said in error(run("apply", write(tmp_path, text)))
    assert rows(world) == before
