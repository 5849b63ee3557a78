"""long lists by index: which artifacts lists show, a usage for each project, and the orders that lists are asked for in"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_NEW = {
    "artifacts": {
        "ix_artifacts_repository_push_time": ["repository_id", "listed", "push_time", "id"],
        "ix_artifacts_repository_size": ["repository_id", "listed", "size", "push_time", "id"],
        "ix_artifacts_project_push_time": ["project_id", "listed", "push_time", "id"],
        "ix_artifacts_project_size": ["project_id", "listed", "size", "push_time", "id"],
        "ix_artifacts_project_type": ["project_id", "listed", "type", "push_time", "id"],
    },
    "storage_usage": {"ix_storage_usage_bytes": ["bytes", "project_id"]},
    "repositories": {
        "ix_repositories_creation_time": ["creation_time", "id"],
        "ix_repositories_project_creation_time": ["project_id", "creation_time", "id"],
    },
    "audit_logs": {
        "ix_audit_logs_username": ["username", "op_time", "id"],
        "ix_audit_logs_operation": ["operation", "op_time", "id"],
        "ix_audit_logs_resource_type": ["resource_type", "op_time", "id"],
        "ix_audit_logs_project": ["project_id", "op_time", "id", "operation", "resource_type", "username"],
    },
}
_OLD = {
    "artifacts": {
        "ix_artifacts_repository_id_push_time": ["repository_id", "push_time"],
        "ix_artifacts_project_id_push_time": ["project_id", "push_time"],
    },
    "repositories": {"ix_repositories_project_id": ["project_id"]},
    "audit_logs": {"ix_audit_logs_project_id_op_time": ["project_id", "op_time"]},
}


def upgrade() -> None:
    # Its default stays with the column: to take it away SQLite would have to write the table anew.
    op.add_column("artifacts", sa.Column("listed", sa.Boolean(), nullable=False, server_default=sa.true()))
    _fill()
    _replace(_OLD, _NEW)
    op.drop_index("ix_audit_logs_op_time", "audit_logs")
    op.create_index("ix_audit_logs_op_time", "audit_logs", ["op_time", "id"])


def _fill() -> None:
    op.execute("UPDATE artifacts SET listed = false WHERE id IN (SELECT artifact_id FROM accessories)")
    op.execute(
        f"UPDATE artifacts SET listed = false WHERE manifest_media_type = '{_OCI_INDEX}' AND EXISTS (SELECT 1 FROM tags "
        "WHERE tags.artifact_id = artifacts.id AND length(tags.name) = 71 AND (tags.name LIKE 'sha256-%' OR tags.name LIKE 'sha512-%'))"
    )
    op.execute(
        "UPDATE artifacts SET listed = false WHERE NOT EXISTS (SELECT 1 FROM tags WHERE tags.artifact_id = artifacts.id) "
        "AND id IN (SELECT id FROM (SELECT child.id FROM artifact_references reference JOIN artifacts parent "
        "ON parent.id = reference.parent_id JOIN artifacts child ON child.repository_id = parent.repository_id "
        "AND child.digest = reference.child_digest) children)"
    )
    op.execute(
        "INSERT INTO storage_usage (project_id, bytes) SELECT id, 0 FROM projects "
        "WHERE NOT EXISTS (SELECT 1 FROM storage_usage WHERE storage_usage.project_id = projects.id)"
    )


def _replace(old: dict[str, dict[str, list[str]]], new: dict[str, dict[str, list[str]]]) -> None:
    """The new ones first: MariaDB needs one for each foreign key, always."""
    for table, indexes in new.items():
        for name, columns in indexes.items():
            op.create_index(name, table, columns)
    for table, indexes in old.items():
        for name in indexes:
            op.drop_index(name, table)


def downgrade() -> None:
    op.drop_index("ix_audit_logs_op_time", "audit_logs")
    op.create_index("ix_audit_logs_op_time", "audit_logs", ["op_time"])
    _replace(_NEW, _OLD)
    op.drop_column("artifacts", "listed")
