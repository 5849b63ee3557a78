"""gunicorn for the API, the pages and the webhook. Address and number of workers come from the command line."""

worker_class = "gthread"
threads = 4
preload_app = True  # loaded once, shared by the workers; nothing connects before the fork
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than nginx keeps an idle connection (60 s), so that nginx is the one to close it
accesslog = None
loglevel = "warning"
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn's heartbeat files; a disk under load would fail the check
control_socket_disable = True
