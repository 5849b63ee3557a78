"""What decisions need, kept in memory for exactly as long as it is true.

A snapshot belongs to one policy version. `Snapshots.current()` asks for the version before each decision; when it has
grown, in whatever process, everything known is dropped and read anew as it is needed. Data is read after the version,
so it can only be newer than the version says, never older.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authsvc.authn import principals
from authsvc.authn.principals import Account, LiveSecret
from authsvc.configuration import service as configuration
from authsvc.core.versioning import VersionReader
from authsvc.rbac.principal import ProjectRef

_MAX_ENTRIES = 100_000
_MAX_ANSWERS = 5_000  # of some kilobytes each


class Snapshot:
    """Accounts and projects as of one policy version, and what was derived from them: `identities` by who proved to be
    whom, `answers` by whole questions. All are bounded: what strangers make up must not fill the memory."""

    __slots__ = ("_accounts", "_configuration", "_projects", "_reader", "_rules", "_secrets", "answers", "identities", "version")

    def __init__(self, reader: VersionReader, version: int) -> None:
        self._reader = reader
        self.version = version
        self._accounts: dict[tuple[str, int], Account | None] = {}
        self._configuration: dict[str, Any] | None = None
        self._projects: dict[str, ProjectRef | None] = {}
        self._secrets: dict[int, LiveSecret | None] = {}
        self._rules: dict[int, Any] = {}
        self.identities: dict[bytes, Any] = {}
        self.answers: dict[bytes, Any] = {}

    def execute(self, statement: Any, values: Any = None) -> Any:
        """Run a SELECT on the database as it is now."""
        return self._reader.execute(statement, values)

    def account(self, kind: str, account_id: int) -> Account | None:
        """A user's or robot's account by id; None if there is none."""
        try:
            return self._accounts[kind, account_id]
        except KeyError:
            account: Account | None = self._load(self._accounts, (kind, account_id), principals.load)
            return account

    def configured(self, name: str) -> Any:
        """The present value of a configuration item."""
        if self._configuration is None:
            self._configuration = configuration.values(self._reader.execute)
        return self._configuration[name]

    def project(self, name: str) -> ProjectRef | None:
        """A project by name; None if there is none."""
        try:
            return self._projects[name]
        except KeyError:
            project: ProjectRef | None = self._load(self._projects, name, principals.load_project)
            return project

    def secret(self, secret_id: int) -> LiveSecret | None:
        """A secret of ours by id; None if it was revoked."""
        try:
            return self._secrets[secret_id]
        except KeyError:
            secret: LiveSecret | None = self._load(self._secrets, secret_id, principals.load_secret)
            return secret

    def trust_rule(self, rule_id: int) -> Any:
        """What a trust rule gives; None if it is gone or disabled."""
        try:
            return self._rules[rule_id]
        except KeyError:
            return self._load(self._rules, rule_id, principals.load_trust_rule)

    def remember_identity(self, key: bytes, identity: Any) -> None:
        """Keep who proved to be whom, as long as the snapshot lives."""
        self._put(self.identities, key, identity, _MAX_ENTRIES)

    def remember_answer(self, key: bytes, answer: Any) -> None:
        """Keep an answer to a whole question, as long as the snapshot lives."""
        self._put(self.answers, key, answer, _MAX_ANSWERS)

    def _load(self, cache: dict[Any, Any], key: Any, load: Callable[[principals.Execute, Any], Any]) -> Any:
        value = load(self._reader.execute, key)
        self._put(cache, key, value, _MAX_ENTRIES)
        return value

    @staticmethod
    def _put(cache: dict[Any, Any], key: Any, value: Any, limit: int) -> None:
        if len(cache) >= limit:
            cache.clear()
        cache[key] = value


class Snapshots:
    """The present snapshot of this process."""

    def __init__(self, reader: VersionReader) -> None:
        self._reader = reader
        self._present = Snapshot(reader, -1)

    def current(self) -> Snapshot:
        """The snapshot of the version that is committed now.

        Raises:
            Unavailable: the database does not answer, so nothing may be decided.
        """
        version = self._reader()
        present = self._present
        if present.version != version:
            present = self._present = Snapshot(self._reader, version)
        return present
