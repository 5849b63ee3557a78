"""Who proved to be whom: what an authenticator answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from authsvc.rbac.principal import Permissions, Principal
from authsvc.secrets.rules import Kind


@dataclass(frozen=True, slots=True)
class Identity:
    """Account `account_id` of its kind, as of credential epoch `epoch`.

    `secret_id`, `secret_kind`: by that secret of ours; what is left of the account's rights with it (`limits`), where it may be
    used from (`networks`, none: everywhere), and until when (epoch seconds). `principal`: ready-made, for who has no account,
    by the trust `rules` of these ids.
    """

    account_id: int
    epoch: int
    secret_id: int | None = None
    secret_kind: Kind | None = None
    kind: Literal["user", "robot", "workload"] = "user"
    limits: Permissions | None = None
    networks: tuple[str, ...] = ()
    expires_at: float | None = None
    principal: Principal | None = None
    rules: tuple[int, ...] = ()
