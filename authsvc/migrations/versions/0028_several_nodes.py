"""what the nodes of an installation share, sealed; and the certificates of the keys that any of them signs tokens with"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = authsvc.core.db.UtcDateTime()
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "shared_secrets",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("update_time", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_shared_secrets")),
    )
    op.create_table(
        "signing_leaves",
        sa.Column("id", number, nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("creation_time", moment, nullable=False),
        sa.Column("retired_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_leaves")),
        sa.UniqueConstraint("key_id", name=op.f("uq_signing_leaves_key_id")),
    )


def downgrade() -> None:
    op.drop_table("signing_leaves")
    op.drop_table("shared_secrets")
