"""audit"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "audit_outbox",
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("stored", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_outbox")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit_logs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("changes", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:

    with op.batch_alter_table("audit_logs", schema=None) as batch_op:
        batch_op.drop_column("changes")

    op.drop_table("audit_outbox")
