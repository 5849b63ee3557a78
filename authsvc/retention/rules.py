"""What a retention policy keeps, and so what it deletes. Pure. Source: Harbor's retention (its selectors and evaluators).

Rules look at one repository at a time. An artifact stays if any rule keeps it; everything else in that repository goes, also
what no rule selects. Repositories that no rule selects are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from authsvc.core import selectors
from authsvc.core.errors import BadRequest, Conflict
from authsvc.core.patterns import Selector

ACTION = "retain"
ALGORITHM = "or"
MAX_RULES = 15
_MAX_PARAMETER = 2**31 - 1
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact as rules see it; times are aware, `pulled` None if it never was."""

    id: int
    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    pulled: datetime | None


@dataclass(frozen=True, slots=True)
class TagSelector:
    """An artifact is selected if any of its tags is; `untagged`: also if it has none."""

    selector: Selector
    untagged: bool

    def selects(self, candidate: Candidate) -> bool:
        if not candidate.tags:
            return self.untagged
        return any(self.selector.selects(tag) for tag in candidate.tags)


@dataclass(frozen=True, slots=True)
class Rule:
    """Of what all selectors select, keep what the template says; `number` counts from 0 and is its id."""

    number: int
    disabled: bool
    template: str
    parameter: int
    repositories: tuple[Selector, ...]
    tags: tuple[TagSelector, ...]

    def concerns(self, repository: str) -> bool:
        """True if it looks at a repository; the name without the project."""
        return not self.disabled and all(selector.selects(repository) for selector in self.repositories)


@dataclass(frozen=True, slots=True)
class Template:
    """How a rule chooses among what it selects. `unit` "": it takes no parameter."""

    text: str
    keep: Callable[[Sequence[Candidate], int, datetime], Sequence[Candidate]]
    unit: str = ""
    default: int = 0


def _pushed_last(selected: Sequence[Candidate], number: int, now: datetime) -> Sequence[Candidate]:
    return sorted(selected, key=lambda one: (one.pushed, one.id), reverse=True)[:number]


def _pulled_last(selected: Sequence[Candidate], number: int, now: datetime) -> Sequence[Candidate]:
    return sorted(selected, key=lambda one: (one.pulled or _NEVER, one.pushed, one.id), reverse=True)[:number]


def _pushed_within(selected: Sequence[Candidate], days: int, now: datetime) -> Sequence[Candidate]:
    return [one for one in selected if _is_within(one.pushed, days, now)]


def _pulled_within(selected: Sequence[Candidate], days: int, now: datetime) -> Sequence[Candidate]:
    return [one for one in selected if one.pulled is not None and _is_within(one.pulled, days, now)]


def _is_within(moment: datetime, days: int, now: datetime) -> bool:
    return (now - moment).total_seconds() <= days * timedelta(days=1).total_seconds()


# In the order of Harbor's metadata.
TEMPLATES: dict[str, Template] = {
    "latestPushedK": Template("the most recently pushed # artifacts", _pushed_last, "COUNT", 10),
    "latestPulledN": Template("the most recently pulled # artifacts", _pulled_last, "COUNT", 10),
    "nDaysSinceLastPush": Template("pushed within the last # days", _pushed_within, "DAYS", 30),
    "nDaysSinceLastPull": Template("pulled within the last # days", _pulled_within, "DAYS", 30),
    "always": Template("always", lambda selected, _number, _now: selected),
}


def kept(candidates: Sequence[Candidate], rules: Sequence[Rule], repository: str, now: datetime) -> dict[int, Rule] | None:
    """Candidate id -> the first rule that keeps it; what is missing is to go. None: no rule looks at this repository, which
    is left alone. `repository`: the name without the project."""
    concerned = [rule for rule in rules if rule.concerns(repository)]
    if not concerned:
        return None
    found: dict[int, Rule] = {}
    for rule in concerned:
        selected = [candidate for candidate in candidates if all(tags.selects(candidate) for tags in rule.tags)]
        for candidate in TEMPLATES[rule.template].keep(selected, rule.parameter, now):
            found.setdefault(candidate.id, rule)
    return found


def parse(given: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """The rules of a policy from Harbor's objects.

    Raises:
        BadRequest: too many, or one that cannot be used.
        Conflict: two say the same.
    """
    if len(given) > MAX_RULES:
        raise BadRequest(f"only {MAX_RULES} rules are allowed at most")
    seen: dict[str, int] = {}
    for number, rule in enumerate(given):
        said = json.dumps({**rule, "id": 0}, sort_keys=True)
        if said in seen:
            raise Conflict(f"rule {number} is conflict with rule {seen[said]}")
        seen[said] = number
    return [_rule(number, rule) for number, rule in enumerate(given)]


def _rule(number: int, given: Mapping[str, Any]) -> Rule:
    if given["template"] not in TEMPLATES:
        raise BadRequest(f"unknown template {given['template'][:64]!r}: there are {', '.join(TEMPLATES)}")
    repositories, tags = given["scope_selectors"]["repository"], given["tag_selectors"]
    if not repositories or not tags:
        raise BadRequest("a rule needs a selector of repositories and one of tags")
    return Rule(
        number=number,
        disabled=given["disabled"],
        template=given["template"],
        parameter=_parameter(given["template"], given["params"]),
        repositories=tuple(selectors.parse(one, selectors.REPOSITORY) for one in repositories),
        tags=tuple(TagSelector(selectors.parse(one, selectors.TAG), _untagged(one)) for one in tags),
    )


def _parameter(template: str, given: Mapping[str, Any]) -> int:
    """Under the template's own name, as a JSON number; what is missing is Harbor's default."""
    value = given.get(template)
    if value is None or not TEMPLATES[template].unit:
        return TEMPLATES[template].default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or not 0 <= value <= _MAX_PARAMETER:
        raise BadRequest(f"{template} must be a whole number from 0 to {_MAX_PARAMETER}")
    return int(value)


def _untagged(given: Mapping[str, Any]) -> bool:
    """Harbor's `extras`: `{"untagged": true}`, as text. Without it `matches` selects untagged artifacts; with `excludes` it
    says which are excluded, and without it none are."""
    excludes = given["decoration"] == selectors.TAG[1]
    said = not excludes
    try:
        extras = json.loads(given["extras"] or "{}")
        said = bool(extras.get("untagged", False)) if given["extras"] else said
    except (ValueError, RecursionError, AttributeError):
        raise BadRequest('extras must be a JSON object as text, such as {"untagged":true}') from None
    return said is not excludes
