"""Who proved to be whom: what an authenticator answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from authsvc.core.errors import InvalidCredentials
from authsvc.rbac.authority import Authority
from authsvc.rbac.principal import Permissions, Principal


class NotAboard(InvalidCredentials):
    """Whoever that is has proved to be somebody elsewhere, and cannot be a user here. No wrong guess."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Account `account_id` of its kind, as of credential epoch `epoch`, by a credential of that `authority`.

    `limits`: what is left of the account's rights with it. `until`: when (epoch seconds) it has to be proven again, at the latest
    when the credential ends. `principal`: ready-made, for who has no account, by the trust `rules` of these ids.
    """

    account_id: int
    epoch: int
    authority: Authority
    kind: Literal["user", "robot", "workload", "scanner"] = "user"
    limits: Permissions | None = None
    until: float | None = None
    principal: Principal | None = None
    rules: tuple[int, ...] = ()

    @property
    def secret_id(self) -> int | None:
        """The secret of ours that it was by, if it was one."""
        return self.authority.secret_id or None
