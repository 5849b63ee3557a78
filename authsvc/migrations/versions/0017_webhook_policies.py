"""webhook policies"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "webhook_policies",
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("sealed_headers", sa.Text(), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("creator", sa.String(length=255), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_webhook_policies_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_policies")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_webhook_policies_project_id")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:

    op.drop_table("webhook_policies")
