"""All kinds of things that a document names."""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.declared.copies import Registries, Replications
from authsvc.declared.labels import Labels
from authsvc.declared.people import Members, Users
from authsvc.declared.places import Kind
from authsvc.declared.policies import ImmutableTagRules, Retention, Webhooks
from authsvc.declared.robots import Robots

# What projects need comes before them.
BEFORE: Sequence[Kind] = (Users(), Registries())
OF_SYSTEM: Sequence[Kind] = (Labels(), Robots(), Replications())
OF_PROJECT: Sequence[Kind] = (Members(), Labels(), Robots(), ImmutableTagRules(), Retention(), Webhooks())
