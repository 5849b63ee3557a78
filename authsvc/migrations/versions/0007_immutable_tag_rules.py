"""immutable tag rules"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "immutable_tag_rules",
        sa.Column("project_id", _BIG, nullable=False),
        sa.Column("priority", _BIG, nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("tag_pattern", sa.String(length=1024), nullable=False),
        sa.Column("tag_excludes", sa.Boolean(), nullable=False),
        sa.Column("repository_pattern", sa.String(length=1024), nullable=False),
        sa.Column("repository_excludes", sa.Boolean(), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_immutable_tag_rules_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_immutable_tag_rules")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("immutable_tag_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_immutable_tag_rules_project_id"), ["project_id"], unique=False)


def downgrade() -> None:
    op.drop_table("immutable_tag_rules")
