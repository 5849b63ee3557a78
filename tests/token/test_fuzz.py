"""10 000 token queries, or 100 000: no 5xx, and granted is always within what is allowed."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.core.names import project_of
from authsvc.rbac.roles import Role
from tests.support.rounds import rounds
from tests.support.world import World, basic, granted_by

QUERIES_EACH, EXAMPLES = 50, rounds(80, 2000)

names = st.one_of(
    st.sampled_from(["web/app", "library/app", "secret/app", "nope/x", "web", "", "catalog", "web/a:b", "WEB/app", "web/manifests/x/y"]),
    st.text(max_size=12).map(lambda text: "web/" + text),
    st.text(max_size=300),
)  # fmt: skip
scopes = st.builds(
    "{}:{}:{}".format,
    st.sampled_from(["repository", "registry", "repository(plugin)", "", "x"]),
    names,
    st.sampled_from(["pull", "push", "delete", "*", "pull,push", "pull,,push", "PULL", "", "pull,push,delete,*"]),
)
raw = st.one_of(scopes.map(quote), scopes.map(lambda text: quote(text, safe=":/,*()%+&=")), st.text(max_size=40).map(quote))
queries = st.lists(
    st.tuples(st.sampled_from(["scope", "scope", "scope", "service", "account", "offline", "x"]), raw), max_size=5
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
callers = st.sampled_from(["alice", "nobody", "bad", "garbage"])
HEADERS = {
    "alice": basic("alice"),
    "nobody": {},
    "bad": basic("alice", "wrong-" * 3),
    "garbage": {"Authorization": "Basic \xff\xfe=="},
}
ALLOWED = {"alice": {"web": {"pull", "push"}, "library": {"pull"}}, "nobody": {"library": {"pull"}}}


@pytest.mark.slow
def test_no_query_is_too_much_and_none_gets_too_much(world: World) -> None:
    world.user("alice")
    for name in ("web", "library", "secret"):
        world.project(name, 1, public=name == "library")
    world.member("web", "alice", Role.DEVELOPER)
    asked = 0

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(callers, queries), min_size=QUERIES_EACH, max_size=QUERIES_EACH))
    def ask(many: list[tuple[str, str]]) -> None:
        nonlocal asked
        for who, query in many:
            asked += 1
            # Wrong passwords cost a hash each by design; a few of them are enough.
            caller = "nobody" if who == "bad" and asked % 50 else who
            response = world.client.get("/service/token", query_string=query, headers=HEADERS[caller])
            assert response.status_code in (200, 400, 401), (query, response.text)
            if response.status_code == 200:
                assert caller in ALLOWED, query
                for name, actions in granted_by(response.get_json()["token"]).items():
                    assert set(actions) <= ALLOWED[caller].get(project_of(name), set()), query

    ask()
    assert asked >= QUERIES_EACH * EXAMPLES
