"""The policy version: a number that grows with every change that a decision could depend on, in the same transaction.

Every process that decides keeps what it knows in memory and asks for this number before each answer; if it grew, it
forgets what it knew. So a role taken away in one process is gone in all of them before their next answer. A model takes
part by naming the moments in `__policy_on__`; the listener does the rest, so that no service can forget it.

All who change anything meet in this one row, so it is written last, just before the commit: it is held for no longer than that
takes, and who holds it waits for nothing else.
"""

from typing import Any, ClassVar

from sqlalchemy import Connection, event, select, text, update
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, UOWTransaction, mapped_column

from authsvc.core.db import Base, db
from authsvc.core.direct import DirectReader

_CHANGED = "policy_changed"
EVER = frozenset({"insert", "update", "delete"})
READ_SQL = "SELECT value FROM policy_version WHERE id = 1"


class PolicyVersion(Base):
    __tablename__ = "policy_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class PolicyRelevant:
    """A mixin for tables that decisions read. `__policy_on__`: which of insert, update, delete change an answer."""

    __policy_on__: ClassVar[frozenset[str]] = EVER


@event.listens_for(db.session, "after_flush")
def _bump(session: Session, context: UOWTransaction) -> None:
    moments = (("insert", session.new), ("delete", session.deleted), ("update", session.dirty))
    if any(_concerns(row, moment, session) for moment, rows in moments for row in rows):
        bump(session)


@event.listens_for(db.session, "do_orm_execute")
def _bump_bulk(state: ORMExecuteState) -> None:
    """`update()` and `delete()` statements never reach a flush."""
    if state.is_update or state.is_delete:
        model = getattr(state.bind_mapper, "class_", None)
        if model is not None and issubclass(model, PolicyRelevant):
            bump(state.session)


def _concerns(row: object, moment: str, session: Session) -> bool:
    if not isinstance(row, PolicyRelevant) or moment not in row.__policy_on__:
        return False
    return moment != "update" or session.is_modified(row)


def bump(session: Any) -> None:
    """Make every process forget what it knew, once this transaction is committed."""
    session.info[_CHANGED] = True


@event.listens_for(db.session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    if session.info.pop(_CHANGED, False):
        session.execute(update(PolicyVersion).where(PolicyVersion.id == 1).values(value=PolicyVersion.value + 1))


@event.listens_for(db.session, "after_rollback")
def _undone(session: Session) -> None:
    session.info.pop(_CHANGED, None)


def current() -> int:
    """The version that the present transaction sees."""
    return db.session.scalar(select(PolicyVersion.value).where(PolicyVersion.id == 1)) or 0


@event.listens_for(PolicyVersion.__table__, "after_create")
def _first_row(table: Any, connection: Connection, **_: Any) -> None:
    connection.execute(text("INSERT INTO policy_version (id, value) VALUES (1, 1)"))


class VersionReader(DirectReader):
    """Reads the policy version: a few microseconds on SQLite, one round trip on a server. Called before every decision, so
    it knows no statements, only the driver's cursor."""

    def __call__(self) -> int:
        """The committed version.

        Raises:
            Unavailable: the database does not answer.
        """
        return self.attempt(self._read)

    def _read(self) -> int:
        own = self.own
        if own.cursor is None:
            own.cursor = own.connection.connection.cursor()
        own.cursor.execute(READ_SQL)
        return int(own.cursor.fetchone()[0])
