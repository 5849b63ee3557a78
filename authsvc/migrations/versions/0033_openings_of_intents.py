"""when writes were let in; blobs are condemned once everybody can see it"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("intents", sa.Column("opened_at", authsvc.core.db.UtcDateTime(), nullable=True))
    with op.batch_alter_table("condemned_blobs") as batch:
        batch.alter_column("condemned_at", existing_type=authsvc.core.db.UtcDateTime(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM condemned_blobs WHERE condemned_at IS NULL")
    with op.batch_alter_table("condemned_blobs") as batch:
        batch.alter_column("condemned_at", existing_type=authsvc.core.db.UtcDateTime(), nullable=False)
    op.drop_column("intents", "opened_at")
