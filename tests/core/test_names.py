"""One grammar of names for all; and no name that two parts could read differently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.core.names import is_digest, is_project, is_repository, is_tag, project_of

GOOD = ["p/a", "p/a/b/c", "p-x/a_b/c.d/e__f/g--h", "library/alpine", "0/0", "p/manifests", "manifests/p", "a/" + "b" * 253]
BAD = [
    "", "p", "p/", "/p", "p//a", "P/a", "p/A", "p/a:b", "p.q:80/a", "p/a\n", "p/..", "p/./a", "p/-a", "p/a-", "p/a..b", "p/a___b",
    "p/é", "p/\uff41", "p/\u212a", "p/a b", "p/a%2fb", "p/a\x00", "a/" + "b" * 254, "p/manifests/v1", "p/blobs/uploads/x", "p/tags/list",
    "p/a;b", "p\\a", "p/a\u0661", "p/r/manifests/x",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_repositories(name: str) -> None:
    assert is_repository(name)
    assert project_of(name) == name.split("/", maxsplit=1)[0]


@pytest.mark.parametrize("name", BAD)
def test_no_repositories(name: str) -> None:
    assert not is_repository(name)


def test_projects_tags_and_digests() -> None:
    assert all(map(is_project, ["web", "team-a.web", "a_b", "1"]))
    assert not any(map(is_project, ["", "Web", "a__b", "a--b", "-a", "a/b", "a" * 256, "a\n", "é"]))
    assert all(map(is_tag, ["latest", "v1.2-3_x", "_x", "A" * 128]))
    assert not any(map(is_tag, ["", ".x", "-x", "a" * 129, "a:b", "a\n", "é", "a/b"]))
    assert is_digest("sha256:" + "0" * 64)
    assert is_digest("sha512:" + "a" * 128)
    assert not any(map(is_digest, ["sha256:" + "A" * 64, "sha256:" + "0" * 63, "md5:" + "0" * 32, "sha256:" + "0" * 64 + "\n"]))


@given(st.text(st.sampled_from("ab0/._-A:%\n"), max_size=30))
def test_a_repository_name_means_the_same_in_a_path(name: str) -> None:
    if is_repository(name):
        assert name == name.strip() == name.lower()
        assert "//" not in name
        assert not {"", ".", ".."} & set(name.split("/"))
        assert is_project(project_of(name)) or "__" in name or "--" in name


@pytest.mark.parametrize("evil", ["a" * 2_000_000, "a-" * 1_000_000, "a/" * 1_000_000, "a." * 1_000_000 + "!", "_" * 2_000_000])
def test_no_name_takes_long_to_refuse(evil: str) -> None:
    """Looking at each pair of its characters would take longer than a test may."""
    assert not any(look(evil) for look in (is_repository, is_project, is_tag, is_digest))
