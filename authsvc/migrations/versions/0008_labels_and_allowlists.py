"""labels and allowlists"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "labels",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("color", sa.String(length=16), nullable=False),
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_labels_project_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "artifact_labels",
        sa.Column("artifact_id", BIG, nullable=False),
        sa.Column("label_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name=op.f("fk_artifact_labels_artifact_id_artifacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("artifact_id", "label_id", name=op.f("pk_artifact_labels")),
    )
    with op.batch_alter_table("artifact_labels", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_artifact_labels_label_id"), ["label_id"], unique=False)
    op.create_table(
        "cve_allowlists",
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=True),
        sa.Column("cve_ids", sa.JSON(), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cve_allowlists")),
        sa.UniqueConstraint("project_id", name=op.f("uq_cve_allowlists_project_id")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("cve_allowlists")
    op.drop_table("artifact_labels")
    op.drop_table("labels")
