"""OIDC grants and registrations"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_grants",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("checked_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("asked_at", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_grants")),
        sa.UniqueConstraint("source", "subject", name=op.f("uq_oidc_grants_source")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("oidc_grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_oidc_grants_checked_at"), ["checked_at"], unique=False)

    op.create_table(
        "registration_attempts",
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_attempts")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("registration_attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_registration_attempts_address"), ["address"], unique=False)
        batch_op.create_index(batch_op.f("ix_registration_attempts_at"), ["at"], unique=False)


def downgrade() -> None:
    op.drop_table("registration_attempts")
    op.drop_table("oidc_grants")
