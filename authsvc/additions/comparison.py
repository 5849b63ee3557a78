"""What differs between two images: their layers, and what their configs say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authsvc.additions.steps import Step


@dataclass(frozen=True, slots=True)
class Difference:
    """`shared`: layers that both have; `removed` and `added`: steps whose layer only the first or the second has; `changed`: what
    a config says, (name, before, after), None where it says nothing."""

    shared: int
    shared_bytes: int
    removed: tuple[Step, ...]
    added: tuple[Step, ...]
    changed: tuple[tuple[str, str | None, str | None], ...]


def compare(
    before: Sequence[Step], after: Sequence[Step], config_before: Mapping[str, Any], config_after: Mapping[str, Any]
) -> Difference:
    """From the first image to the second."""
    had = {step.layer.digest: step.layer.size for step in before if step.layer}
    has = {step.layer.digest: step.layer.size for step in after if step.layer}
    shared = had.keys() & has.keys()
    said, says = flat(config_before), flat(config_after)
    names = sorted(name for name in said.keys() | says.keys() if said.get(name) != says.get(name))
    return Difference(
        shared=len(shared),
        shared_bytes=sum(had[digest] for digest in shared),
        removed=tuple(step for step in before if step.layer and step.layer.digest not in shared),
        added=tuple(step for step in after if step.layer and step.layer.digest not in shared),
        changed=tuple((name, said.get(name), says.get(name)) for name in names),
    )


def flat(config: Mapping[str, Any]) -> dict[str, str]:
    """A config as one line each: variables and labels by their names, lists as a whole. It is whatever the builder wrote."""
    found: dict[str, str] = {}
    for name, value in config.items():
        if name == "Env" and isinstance(value, list):
            pairs = (str(one).partition("=") for one in value)
            found |= {f"Env {key}": text for key, _, text in pairs}
        elif isinstance(value, dict):
            found |= {f"{name} {key}": str(inner) for key, inner in value.items()}
        elif isinstance(value, list):
            found[str(name)] = " ".join(str(one) for one in value)
        elif value not in (None, ""):
            found[str(name)] = str(value)
    return found
