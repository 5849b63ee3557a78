"""tasks that run one after the other"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("key", sa.String(length=64), server_default="", nullable=False))
    op.create_index("ix_tasks_key_status", "tasks", ["key", "status"])


def downgrade() -> None:
    op.drop_index("ix_tasks_key_status", table_name="tasks")
    op.drop_column("tasks", "key")
