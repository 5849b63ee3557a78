"""retention policies"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "retention_policies",
        sa.Column("project_id", _BIG, nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("cron", sa.String(length=255), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_retention_policies_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_policies")),
        sa.UniqueConstraint("project_id", name=op.f("uq_retention_policies_project_id")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("retention_policies")
