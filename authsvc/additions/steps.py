"""How an image was built: its config's history with the layers that came of it. Source: OCI image spec, "Image Configuration".

Pure. The history is whatever the builder wrote, and need not fit the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authsvc.distribution.manifest import Descriptor


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a build: what was done, "" where nobody says; the layer that came of it, None if none did."""

    command: str
    layer: Descriptor | None


def steps(history: Any, layers: Sequence[Descriptor]) -> list[Step]:
    """In the order of the build; layers that no line of the history accounts for come last, and are not left out."""
    said = [one for one in history if isinstance(one, dict)] if isinstance(history, list) else []
    left, found = list(layers), []
    for one in said:
        is_empty = one.get("empty_layer") is True
        found.append(Step(_command(one.get("created_by")), left.pop(0) if left and not is_empty else None))
    return found + [Step("", layer) for layer in left]


def _command(created_by: Any) -> str:
    """As its author wrote it: without the shell that ran it."""
    text = created_by if isinstance(created_by, str) else ""
    return text.removeprefix("/bin/sh -c #(nop) ").removeprefix("/bin/sh -c ").strip()
