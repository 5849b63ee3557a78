"""executions"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What the older table holds are runs of housekeeping, which come again by themselves.
    op.drop_table("tasks")
    op.create_table(
        "executions",
        sa.Column("vendor_type", sa.String(length=64), nullable=False),
        sa.Column("vendor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_message", sa.String(length=1000), nullable=False),
        sa.Column("extra_attrs", sa.JSON(), nullable=False),
        sa.Column("start_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("end_time", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("executions", schema=None) as batch_op:
        batch_op.create_index("ix_executions_vendor", ["vendor_type", "vendor_id", "start_time"], unique=False)

    op.create_table(
        "paused_queues",
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_paused_queues")),
    )
    op.create_table(
        "schedules",
        sa.Column("vendor_type", sa.String(length=64), nullable=False),
        sa.Column("vendor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cron_type", sa.String(length=16), nullable=False),
        sa.Column("cron", sa.String(length=255), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("next_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("vendor_type", "vendor_id", name=op.f("uq_schedules_vendor_type")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_schedules_next_time"), ["next_time"], unique=False)

    op.create_table(
        "worker_pools",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("concurrency", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("start_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("heartbeat_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_pools")),
    )
    op.create_table(
        "tasks",
        sa.Column("execution_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_message", sa.String(length=1000), nullable=False),
        sa.Column("run_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("extra_attrs", sa.JSON(), nullable=False),
        sa.Column("due_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("lease_until", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("start_time", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("end_time", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_tasks_execution_id_executions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("job_id", name=op.f("uq_tasks_job_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index("ix_tasks_status_due_at", ["status", "due_at"], unique=False)
        batch_op.create_index("ix_tasks_execution_id_status", ["execution_id", "status"], unique=False)

    op.create_table(
        "task_logs",
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_logs_task_id_tasks"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_logs")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("task_logs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_logs_task_id"), ["task_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("schedules and executions have no place in the older schema: restore the backup instead")
