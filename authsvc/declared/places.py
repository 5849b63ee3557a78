"""Where the things of a document are, and what a kind of things is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import marshmallow as ma

from authsvc.declared.document import Item
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import SYSTEM, Principal


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are, and who makes them there: the project of that name, or the system if there is none."""

    giver: Principal
    project: str = ""

    @property
    def exists(self) -> bool:
        return not self.project or projects.find(self.project, is_name=True) is not None

    @property
    def here(self) -> Project:
        """The project.

        Raises:
            NotFound
        """
        return projects.get_by_name(self.project)

    @property
    def id(self) -> int:
        return self.here.id if self.project else SYSTEM


class Kind(ABC):
    """`name`: of the list in a document; `one`: what one of them is called; `schema`: of what is read and written; `secrets`:
    fields that are not shown; `is_single`: there is at most one, and no list. Verbs are those of the rooms."""

    name: ClassVar[str]
    one: ClassVar[str]
    schema: ClassVar[ma.Schema]
    secrets: ClassVar[Collection[str]] = ()
    is_single: ClassVar[bool] = False
    is_removed: ClassVar[bool] = True  # when a document names it no more

    @abstractmethod
    def key(self, item: Item) -> str:
        """What makes it the same thing."""

    @abstractmethod
    def normal(self, place: Place, item: Item) -> Item:
        """As `present` would show it."""

    @abstractmethod
    def present(self, place: Place) -> dict[str, Item]:
        """What is there, by key."""

    def ready(self, place: Place, item: Item) -> None:  # noqa: B027 - most need nothing
        """What takes its time before one can be made, while no transaction is open."""

    @abstractmethod
    def make(self, place: Place, item: Item) -> str:
        """A new one; the secret that was generated for it, "" if none was."""

    @abstractmethod
    def change(self, place: Place, item: Item) -> None:
        """Make one that is there like this."""

    @abstractmethod
    def remove(self, place: Place, key: str) -> None:
        """Take one away."""
