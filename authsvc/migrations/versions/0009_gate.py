"""journal of writes and log of decisions"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "intents",
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("reference", sa.String(length=135), nullable=False),
        sa.Column("digest", sa.String(length=135), nullable=False),
        sa.Column("reserved", _ID, nullable=False),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("until", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intents")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_intents_project_id"), "intents", ["project_id"])
    op.create_index(op.f("ix_intents_until"), "intents", ["until"])
    op.create_table(
        "intent_holds",
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("reference", sa.String(length=135), nullable=False),
        sa.Column("intent_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["intents.id"], name=op.f("fk_intent_holds_intent_id_intents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository", "reference", name=op.f("pk_intent_holds")),
    )
    op.create_index(op.f("ix_intent_holds_intent_id"), "intent_holds", ["intent_id"])
    op.create_table(
        "gate_decisions",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("holder_kind", sa.String(length=16), nullable=False),
        sa.Column("holder_id", _ID, nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("status", _ID, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=255), nullable=False),
        sa.Column("message", sa.String(length=1024), nullable=False),
        sa.Column("help", sa.String(length=255), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_decisions")),
    )
    op.create_index(op.f("ix_gate_decisions_at"), "gate_decisions", ["at"])
    op.create_index(op.f("ix_gate_decisions_project_id_at"), "gate_decisions", ["project_id", "at"])
    op.create_index(op.f("ix_gate_decisions_username"), "gate_decisions", ["username"])


def downgrade() -> None:
    for table in ("gate_decisions", "intent_holds", "intents"):
        op.drop_table(table)
