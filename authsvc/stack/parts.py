"""How each part is started: by supervisord on one host, or alone in a container. One line of shell each."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from authsvc.core import addresses
from authsvc.core.addresses import Address
from authsvc.core.settings import Settings

SOURCE = Path(__file__).parent.parent.parent


def command(part: str, settings: Settings, listen: str = "") -> str:
    """The command of token, api, webhook or worker; `listen`: the host to listen on, if it is not where others find it.

    Raises:
        KeyError: no such part.
    """
    return shlex.join(_COMMANDS[part](settings, listen))


def _token(settings: Settings, listen: str) -> list[str]:
    host, port = addresses.parse(settings.token_address)
    # As a batch, so that a thread which wakes up does not interrupt the one that signs: a fifth more tokens.
    server = ["chrt", "--batch", "0", sys.executable, "-m", "authsvc.granian_server", "--workers", str(settings.token_workers)]
    return [*server, "--host", listen or host, "--port", str(port)]


def _api(settings: Settings, listen: str) -> list[str]:
    # Behind those who serve machines: it looks at passwords, of which anybody can send any number.
    return ["nice", "-n", "5", *_gunicorn(settings.api_address, listen, settings.api_workers, "authsvc.wsgi:create_front()")]


def _webhook(settings: Settings, listen: str) -> list[str]:
    return _gunicorn(settings.webhook_address, listen, 1, "webhook.wsgi:create()")


def _worker(settings: Settings, listen: str) -> list[str]:
    return [sys.executable, "-m", "authsvc.cli", "worker"]


def _gunicorn(address: str, listen: str, workers: int, app: str) -> list[str]:
    host, port = addresses.parse(address)
    server = [sys.executable, "-m", "gunicorn", "-c", str(SOURCE / "authsvc/gunicorn.conf.py")]
    return [*server, "-b", str(Address(listen or host, port)), "-w", str(workers), app]


_COMMANDS = {"token": _token, "api": _api, "webhook": _webhook, "worker": _worker}
NAMES = tuple(_COMMANDS)
