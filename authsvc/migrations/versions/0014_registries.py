"""registries"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "registries",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("url", sa.String(length=512), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("insecure", sa.Boolean(), nullable=False),
        sa.Column("ca_certificate", sa.Text(), nullable=False),
        sa.Column("credential_type", sa.String(length=16), nullable=False),
        sa.Column("access_key", sa.String(length=255), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registries")),
        sa.UniqueConstraint("name", name=op.f("uq_registries_name")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:

    op.drop_table("registries")
