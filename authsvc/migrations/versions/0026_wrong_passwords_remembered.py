"""wrong passwords are remembered for a while, and from where right ones came"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = authsvc.core.db.UtcDateTime()
    op.add_column("login_failures", sa.Column("wrong_until", moment, nullable=True))
    op.add_column("login_failures", sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"))
    op.create_table(
        "login_addresses",
        sa.Column("account", sa.String(length=300), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("account", "address", name=op.f("pk_login_addresses")),
    )
    op.create_index(op.f("ix_login_addresses_at"), "login_addresses", ["at"])


def downgrade() -> None:
    op.drop_table("login_addresses")
    op.drop_column("login_failures", "epoch")
    op.drop_column("login_failures", "wrong_until")
