"""Certificates of authorities that somebody configures to be trusted. Pure."""

from __future__ import annotations

import ssl

from authsvc.core.errors import BadRequest


def check_authorities(name: str, pem: str) -> None:
    """Whether a setting's text is certificates in PEM, or empty.

    Raises:
        BadRequest: it is not; the text names the setting.
    """
    try:
        ssl.create_default_context(cadata=pem or None)
    except (ssl.SSLError, ValueError, TypeError):  # TypeError: not ASCII
        raise BadRequest(f"{name} must be certificates in PEM") from None


def client_context(ca: str) -> ssl.SSLContext:
    """What a client verifies servers by: the system's authorities, and those in `ca` (PEM)."""
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cadata=ca)
    return context
