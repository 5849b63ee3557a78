"""projects that cache the images of another registry, and what is known of its tags"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_KEY = "fk_projects_registry_id_registries"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    if op.get_bind().dialect.name == "sqlite":  # where a constraint comes with its column, or with a new table
        op.execute(f"ALTER TABLE projects ADD COLUMN registry_id INTEGER CONSTRAINT {_KEY} REFERENCES registries (id)")
    else:
        op.add_column("projects", sa.Column("registry_id", number, nullable=True))
        op.create_foreign_key(op.f(_KEY), "projects", "registries", ["registry_id"], ["id"])
    op.create_index(op.f("ix_projects_registry_id"), "projects", ["registry_id"])
    op.create_table(
        "upstream_tags",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("project_id", number, nullable=False),
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=135), nullable=False),
        sa.Column("until", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_upstream_tags_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upstream_tags")),
        sa.UniqueConstraint("repository", "tag", name=op.f("uq_upstream_tags_repository")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_upstream_tags_project_id"), "upstream_tags", ["project_id"])


def downgrade() -> None:
    op.drop_table("upstream_tags")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(_KEY, "projects", type_="foreignkey")
    op.drop_index("ix_projects_registry_id", table_name="projects")
    op.drop_column("projects", "registry_id")
