"""What decisions need, kept in memory for exactly as long as it is true.

A snapshot belongs to one policy version. `Snapshots.current()` asks for the version before each decision; when it has
grown, in whatever process, everything known is dropped and read anew as it is needed. Data is read after the version,
so it can only be newer than the version says, never older.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from authsvc.authn import principals
from authsvc.authn.principals import Account
from authsvc.core.db import reading
from authsvc.rbac.principal import ProjectRef

_MAX_ENTRIES = 100_000


class Snapshot:
    """Accounts and projects as of one policy version; `memo` is for whoever derives something from them."""

    __slots__ = ("_accounts", "_app", "_projects", "memo", "version")

    def __init__(self, app: Flask, version: int) -> None:
        self._app = app
        self.version = version
        self._accounts: dict[int, Account | None] = {}
        self._projects: dict[str, ProjectRef | None] = {}
        self.memo: dict[bytes, Any] = {}

    def account(self, user_id: int) -> Account | None:
        """An account by id; None if there is none."""
        try:
            return self._accounts[user_id]
        except KeyError:
            account: Account | None = self._load(self._accounts, user_id, principals.load_account)
            return account

    def project(self, name: str) -> ProjectRef | None:
        """A project by name; None if there is none."""
        try:
            return self._projects[name]
        except KeyError:
            project: ProjectRef | None = self._load(self._projects, name, principals.load_project)
            return project

    def remember(self, key: bytes, value: Any) -> None:
        """Keep something derived from this snapshot, as long as the snapshot lives."""
        self._put(self.memo, key, value)

    def _load(self, cache: dict[Any, Any], key: Any, load: Callable[[Any], Any]) -> Any:
        with self._app.app_context(), reading():
            value = load(key)
        self._put(cache, key, value)
        return value

    @staticmethod
    def _put(cache: dict[Any, Any], key: Any, value: Any) -> None:
        if len(cache) >= _MAX_ENTRIES:  # names that strangers make up must not fill the memory
            cache.clear()
        cache[key] = value


class Snapshots:
    """The present snapshot of this process."""

    def __init__(self, app: Flask, read_version: Callable[[], int]) -> None:
        self._app = app
        self._read_version = read_version
        self._present = Snapshot(app, -1)

    def current(self) -> Snapshot:
        """The snapshot of the version that is committed now.

        Raises:
            Unavailable: the database does not answer, so nothing may be decided.
        """
        version = self._read_version()
        present = self._present
        if present.version != version:
            present = self._present = Snapshot(self._app, version)
        return present
