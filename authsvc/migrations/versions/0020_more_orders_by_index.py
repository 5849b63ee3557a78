"""projects and repositories in more orders by an index"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_projects_name", "projects", ["name", "id"])
    op.create_index("ix_projects_storage_limit", "projects", ["storage_limit", "id"])
    op.create_index("ix_repositories_project_name", "repositories", ["project_id", "name"])


def downgrade() -> None:
    op.drop_index("ix_repositories_project_name", "repositories")
    op.drop_index("ix_projects_storage_limit", "projects")
    op.drop_index("ix_projects_name", "projects")
