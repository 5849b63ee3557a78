"""blobs that nothing needs, on their way out of the storage"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "condemned_blobs",
        sa.Column("digest", sa.String(length=135), nullable=False),
        sa.Column("size", number, nullable=False),
        sa.Column("condemned_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("execution_id", number, nullable=False),
        sa.Column("sweeper", sa.String(length=128), nullable=False),
        sa.Column("claimed_at", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_condemned_blobs")),
    )
    op.create_index("ix_condemned_blobs_condemned_at", "condemned_blobs", ["condemned_at"])


def downgrade() -> None:
    op.drop_table("condemned_blobs")
