"""artifacts of projects, the newest first"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_artifacts_project_id_push_time", "artifacts", ["project_id", "push_time"])
    op.drop_index("ix_artifacts_project_id", "artifacts")  # afterwards: MariaDB needs one of the two for the foreign key


def downgrade() -> None:
    op.create_index("ix_artifacts_project_id", "artifacts", ["project_id"])
    op.drop_index("ix_artifacts_project_id_push_time", "artifacts")
