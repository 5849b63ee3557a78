"""trust rules"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trust_rules",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("issuer", sa.String(length=512), nullable=False),
        sa.Column("audience", sa.String(length=255), nullable=False),
        sa.Column("claims", sa.JSON(), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("repositories", sa.String(length=255), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_trust_rules_name")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("trust_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trust_rules_issuer"), ["issuer"], unique=False)
        batch_op.create_index(batch_op.f("ix_trust_rules_project_id"), ["project_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("trust_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trust_rules_project_id"))
        batch_op.drop_index(batch_op.f("ix_trust_rules_issuer"))

    op.drop_table("trust_rules")
