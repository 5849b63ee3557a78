"""who chooses a name after a first login by a provider"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_arrivals",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("back_to", sa.String(length=1024), nullable=False),
        sa.Column("expires_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oidc_arrivals")),
    )
    op.create_index(op.f("ix_oidc_arrivals_expires_at"), "oidc_arrivals", ["expires_at"])


def downgrade() -> None:
    op.drop_table("oidc_arrivals")
