"""Labels, of a project or of everybody."""

from __future__ import annotations

from authsvc.core.db import db
from authsvc.declared.document import Item
from authsvc.declared.places import Kind, Place
from authsvc.labels import service as labels
from authsvc.labels.models import Label
from authsvc.labels.schemas import LabelSchema


class Labels(Kind):
    name, one, schema = "labels", "label", LabelSchema(exclude=["scope", "project_id"])
    _fields = ("name", "description", "color")

    def key(self, item: Item) -> str:
        return str(item["name"])

    def normal(self, place: Place, item: Item) -> Item:
        return {name: item[name] for name in self._fields}

    def present(self, place: Place) -> dict[str, Item]:
        rows = db.session.scalars(labels.of_place(place.id).order_by(Label.name))
        return {row.name: {name: getattr(row, name) for name in self._fields} for row in rows}

    def make(self, place: Place, item: Item) -> str:
        labels.create(place.giver.name, place.id, item["name"], item["description"], item["color"])
        return ""

    def change(self, place: Place, item: Item) -> None:
        labels.update(place.giver.name, self._row(place, item["name"]), item["name"], item["description"], item["color"])

    def remove(self, place: Place, key: str) -> None:
        labels.remove(place.giver.name, self._row(place, key))

    def _row(self, place: Place, key: str) -> Label:
        row: Label = db.session.scalars(labels.of_place(place.id).where(Label.name == key)).one()
        return row
