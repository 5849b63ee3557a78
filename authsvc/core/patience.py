"""A connection to PostgreSQL that does not wait for ever: libpq has no read timeout."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """`patience`: seconds that each wait for the server may take; then the connection is closed, since an answer could still
    come, to whatever is asked next."""

    patience: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's.

        Raises:
            psycopg.OperationalError: the time is over, among others.
        """
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE or timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server did not answer within {self.patience:g} s") from error
