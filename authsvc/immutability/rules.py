"""What makes a tag immutable. Pure. Source: Harbor's immutability rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from authsvc.core.patterns import Selector

ACTION = "immutable"
TEMPLATE = "immutable_template"
MAX_RULES = 100  # of a project; each is tried at every push of a tag that exists


@dataclass(frozen=True, slots=True)
class Rule:
    """Enabled. Repositories are selected by their name without the project."""

    id: int
    repositories: Selector
    tags: Selector

    def protects(self, repository: str, tag: str) -> bool:
        return self.repositories.selects(repository) and self.tags.selects(tag)


class Protected(NamedTuple):
    """A tag that must stay as it is, and the rule that says so."""

    tag: str
    rule: Rule


def protected(rules: Iterable[Rule], repository: str, tags: Iterable[str]) -> Protected | None:
    """The first of the tags that a rule protects. `repository` is the full name."""
    name = repository.partition("/")[2]
    here = [rule for rule in rules if rule.repositories.selects(name)]
    return next((Protected(tag, rule) for tag in tags for rule in here if rule.tags.selects(tag)), None)
