"""damaged references, forgotten ones with their times, a marker in the registry's storage, and processes of workers"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("worker_pools") as batch_op:
        batch_op.add_column(sa.Column("process", sa.String(length=128), nullable=False, server_default=""))
    with op.batch_alter_table("worker_pools") as batch_op:
        batch_op.alter_column("process", existing_type=sa.String(length=128), existing_nullable=False, server_default=None)
    op.create_table(
        "damages",
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("reference", sa.String(length=135), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("found_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("seen_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "reference", name=op.f("pk_damages")),
    )
    op.create_table(
        "forgotten_references",
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("reference", sa.String(length=135), nullable=False),
        sa.Column("digest", sa.String(length=135), nullable=False),
        sa.Column("push_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("pull_time", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("forgotten_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "reference", name=op.f("pk_forgotten_references")),
    )
    op.create_index(op.f("ix_forgotten_references_forgotten_at"), "forgotten_references", ["forgotten_at"])
    op.create_table(
        "storage_marker",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("digest", sa.String(length=135), nullable=False),
        sa.Column("made_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_marker")),
    )


def downgrade() -> None:
    op.drop_table("storage_marker")
    op.drop_table("forgotten_references")
    op.drop_table("damages")
    with op.batch_alter_table("worker_pools") as batch_op:
        batch_op.drop_column("process")
