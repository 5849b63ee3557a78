"""how full a project was when somebody looked last, and when it was last told that something did not fit"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("storage_usage", sa.Column("mark", number, server_default="0", nullable=False))
    op.add_column("storage_usage", sa.Column("exceeded_at", authsvc.core.db.UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("storage_usage", "exceeded_at")
    op.drop_column("storage_usage", "mark")
