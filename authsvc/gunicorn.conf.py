"""gunicorn for the API, the pages and the webhook. Address and number of workers come from the command line."""

from typing import Any

worker_class = "gthread"
threads = 24  # half of which may carry what proxy caches fetch, most others wait for a password to be looked at, or a directory
preload_app = True  # loaded once, shared by the workers; nothing connects before the fork
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than nginx keeps an idle connection (60 s), so that nginx is the one to close it
# nginx, in front of it, bounds both: 32 kB.
limit_request_line = 0
limit_request_field_size = 32 * 1024
accesslog = None
loglevel = "warning"
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn's heartbeat files; a disk under load would fail the check
control_socket_disable = True


def on_reload(server: Any) -> None:
    """On SIGHUP the new workers get an application that has read the settings anew, also with `preload_app`."""
    server.app.callable = None
    server.app.wsgi()
