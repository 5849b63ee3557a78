"""Who proved to be whom: what an authenticator answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """User `user_id`, as of credential epoch `epoch`; `token_id` if by a refresh token."""

    user_id: int
    epoch: int
    token_id: int | None = None
