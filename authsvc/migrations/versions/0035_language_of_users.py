"""users keep the language that they have chosen"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("language", sa.String(16), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("users", "language")
