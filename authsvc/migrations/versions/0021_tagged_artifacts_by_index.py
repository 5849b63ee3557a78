"""tagged and untagged artifacts by an index, and all repositories by the time of their last change"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_artifacts_repository_push_time": ["repository_id", "listed", "push_time", "id"],
    "ix_artifacts_project_push_time": ["project_id", "listed", "push_time", "id"],
}


def upgrade() -> None:
    # Its default stays with the column: to take it away SQLite would have to write the table anew.
    op.add_column("artifacts", sa.Column("tagged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE artifacts SET tagged = true WHERE EXISTS (SELECT 1 FROM tags WHERE tags.artifact_id = artifacts.id)")
    _replace("tagged")
    op.create_index("ix_repositories_update_time", "repositories", ["update_time", "id"])


def _replace(*more: str) -> None:
    for name, columns in _INDEXES.items():
        op.drop_index(name, "artifacts")
        op.create_index(name, "artifacts", [*columns, *more])


def downgrade() -> None:
    op.drop_index("ix_repositories_update_time", "repositories")
    _replace()
    op.drop_column("artifacts", "tagged")
