"""what is copied between this registry and others"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "replication_policies",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("source_id", number, nullable=True),
        sa.Column("destination_id", number, nullable=True),
        sa.Column("namespace", sa.String(length=255), nullable=False),
        sa.Column("replace_count", number, nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("cron", sa.String(length=255), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("deletion", sa.Boolean(), nullable=False),
        sa.Column("override", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("speed", number, nullable=False),
        sa.Column("copy_by_chunk", sa.Boolean(), nullable=False),
        sa.Column("single_active", sa.Boolean(), nullable=False),
        sa.Column("creator", sa.String(length=255), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["registries.id"], name=op.f("fk_replication_policies_source_id_registries")),
        sa.ForeignKeyConstraint(
            ["destination_id"], ["registries.id"], name=op.f("fk_replication_policies_destination_id_registries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replication_policies")),
        sa.UniqueConstraint("name", name=op.f("uq_replication_policies_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_replication_policies_source_id"), "replication_policies", ["source_id"])
    op.create_index(op.f("ix_replication_policies_destination_id"), "replication_policies", ["destination_id"])


def downgrade() -> None:
    op.drop_table("replication_policies")
