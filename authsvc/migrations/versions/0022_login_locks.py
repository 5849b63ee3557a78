"""all locks of logins from the beginning"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_BUCKETS = 256


def upgrade() -> None:
    locks = sa.table("login_locks", sa.column("id"))
    present = set(op.get_bind().scalars(sa.select(locks.c.id)))
    op.bulk_insert(locks, [{"id": number} for number in range(_BUCKETS) if number not in present])


def downgrade() -> None:
    pass
