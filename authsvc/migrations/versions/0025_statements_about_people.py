"""when a directory or provider said last what we know of somebody, and until when that counts"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

import authsvc.core.db
from authsvc.core.db import utcnow

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_DAYS = 90  # as the setting has it where nobody has set it


def upgrade() -> None:
    moment = authsvc.core.db.UtcDateTime()
    op.add_column("user_identities", sa.Column("stated_at", moment, nullable=True))
    op.add_column("user_identities", sa.Column("lapses_at", moment, nullable=True))
    now = utcnow()
    identities = sa.table("user_identities", sa.column("stated_at", moment), sa.column("lapses_at", moment))
    op.execute(sa.update(identities).values(stated_at=now, lapses_at=now + timedelta(days=_DAYS)))
    op.execute("DELETE FROM oidc_arrivals")  # of logins of the last minutes: they begin anew
    op.add_column("oidc_arrivals", sa.Column("subject", sa.String(length=512), nullable=False, server_default=""))
    op.create_index(op.f("ix_oidc_arrivals_subject"), "oidc_arrivals", ["subject"])


def downgrade() -> None:
    op.drop_index(op.f("ix_oidc_arrivals_subject"), table_name="oidc_arrivals")
    op.drop_column("oidc_arrivals", "subject")
    op.drop_column("user_identities", "lapses_at")
    op.drop_column("user_identities", "stated_at")
