"""Labels: verbs and queries, and which artifact bears which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, select

from authsvc.artifacts.models import Artifact, ArtifactLabel
from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, NotFound
from authsvc.core.inserts import insert_ignore
from authsvc.labels.models import Label

GLOBAL = 0


def create(actor: str, project_id: int, name: str, description: str, color: str) -> Label:
    """A new label of a project, or of everybody (`GLOBAL`).

    Raises:
        BadRequest: the name.
        Conflict: it is taken there.
    """
    _check_name(project_id, name)
    label = Label(project_id=project_id, name=name, description=description, color=color)
    db.session.add(label)
    db.session.flush()
    _record(actor, "create", label)
    return label


def update(actor: str, label: Label, name: str, description: str, color: str) -> None:
    """Change what people see of a label; where it belongs stays.

    Raises:
        BadRequest, Conflict: the name.
    """
    if name != label.name:
        _check_name(label.project_id, name)
    label.name, label.description, label.color = name, description, color
    _record(actor, "update", label)


def _check_name(project_id: int, name: str) -> None:
    if not 1 <= len(name) <= 128:
        raise BadRequest("a label's name has 1 to 128 characters")
    if db.session.scalar(of_place(project_id).where(Label.name == name)) is not None:
        raise Conflict(f"label {name} exists already")


def remove(actor: str, label: Label) -> None:
    """Delete a label, from every artifact that bears it, too."""
    _record(actor, "delete", label)
    db.session.execute(delete(ArtifactLabel).where(ArtifactLabel.label_id == label.id))
    db.session.delete(label)


def remove_of_project(project_id: int) -> None:
    """Delete the labels of a project that goes; it is empty, so no artifact bears them."""
    db.session.execute(delete(Label).where(Label.project_id == project_id))


def _record(actor: str, operation: str, label: Label) -> None:
    audit.record(actor, operation, "label", label.name, project_id=label.project_id or None)


def get(label_id: int) -> Label:
    """A label by id.

    Raises:
        NotFound
    """
    label = db.session.get(Label, label_id)
    if label is None:
        raise NotFound(f"label {label_id} not found")
    return label


def of_place(project_id: int) -> Select[Any]:
    """The labels of a project, or of everybody (`GLOBAL`)."""
    return select(Label).where(Label.project_id == project_id)


# -- on artifacts ------------------------------------------------------------------------------------------------------


def put_on(actor: str, label: Label, artifact: Artifact, name: str) -> None:
    """Let an artifact, called `name`, bear a label.

    Raises:
        NotFound: the label is another project's.
        Conflict: it bears it already.
    """
    if label.project_id not in (GLOBAL, artifact.project_id):
        raise NotFound(f"label {label.id} not found")
    if not insert_ignore(ArtifactLabel, artifact_id=artifact.id, label_id=label.id):
        raise Conflict(f"{name} bears the label {label.name} already")
    audit.record(actor, "update", "artifact", name, project_id=artifact.project_id, description=f"label {label.name} added")


def take_off(actor: str, label_id: int, artifact: Artifact, name: str) -> None:
    """Take a label off an artifact, called `name`.

    Raises:
        NotFound: it does not bear it.
    """
    label = db.session.get(Label, label_id)
    borne = delete(ArtifactLabel).where(ArtifactLabel.artifact_id == artifact.id, ArtifactLabel.label_id == label_id)
    result: Any = db.session.execute(borne)
    if not result.rowcount or label is None:
        raise NotFound(f"{name} does not bear label {label_id}")
    audit.record(actor, "update", "artifact", name, project_id=artifact.project_id, description=f"label {label.name} removed")


def by_artifact(artifacts: Sequence[Artifact]) -> dict[int, list[Label]]:
    """The labels on a page of artifacts, by name; one query."""
    found: dict[int, list[Label]] = {artifact.id: [] for artifact in artifacts}
    statement = select(ArtifactLabel.artifact_id, Label).join(Label, Label.id == ArtifactLabel.label_id)
    for artifact_id, label in db.session.execute(statement.where(ArtifactLabel.artifact_id.in_(found)).order_by(Label.name)):
        found[artifact_id].append(label)
    return found
