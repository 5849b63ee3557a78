"""which nodes there are"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = authsvc.core.db.UtcDateTime()
    op.create_table(
        "nodes",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("parts", sa.String(length=255), nullable=False),
        sa.Column("start_time", moment, nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.Column("clock_ahead", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nodes")),
    )


def downgrade() -> None:
    op.drop_table("nodes")
