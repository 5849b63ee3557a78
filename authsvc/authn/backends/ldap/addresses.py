"""Where a directory can be."""

from authsvc.core.connections import allowed

_LOOPBACK = ("127.0.0.0/8", "::1/128")


def can_be_at(address: str) -> bool:
    """False for addresses that no directory has: link-local (where clouds tell machines their secrets), multicast and the like.

    Loopback and private networks are where directories usually are, and system administrators alone say where theirs is. So it
    is not `TIDEGATE_OUTGOING_ALLOW` that decides, which holds for the webhooks of project administrators as well.
    """
    return allowed(address, _LOOPBACK)
