"""compose.yaml on an engine of our own. Nothing can be pulled here, so the images that others have are made: a base from Debian's
packages, and from it registry:2, nginx:stable and postgres:16 as far as we know them."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian
from tests.support.engine import Engine, engine
from tests.support.network import door
from tests.support.once import one_maker, place
from tests.support.ports import free_ports

ROOT = Path(__file__).parents[2]
BASE = "tidegate-base:latest"
_PACKAGES = "ca-certificates,python3,python3-venv,rsyslog,logrotate,busybox,nginx,docker-registry,postgresql"
# Half of it all: what compiles queries, which we switch off, and a cluster that nobody uses.
_WITHOUT = (
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/postgresql/*/lib/bitcode",
    "var/lib/postgresql/*",
    "usr/share/i18n",
)
_CACHE = place("containers-base", inspect.getsource(debian) + _PACKAGES + str(_WITHOUT))
_IMAGES = {
    "registry:2": 'RUN ln -s /bin/busybox /usr/local/bin/wget\nENTRYPOINT ["docker-registry", "serve"]\n',
    "nginx:stable": "CMD nginx\n",
    "postgres:16": 'COPY postgres.sh /\nENV PGDATA=/var/lib/postgresql/data\nSTOPSIGNAL SIGINT\nENTRYPOINT ["sh", "/postgres.sh"]\n',
}
# What the official image does with these variables, at its first start.
_POSTGRES = """set -e
install -d -o postgres /run/postgresql
bin=$(echo /usr/lib/postgresql/*/bin)
export PATH=$bin:$PATH
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -d -o postgres -m 700 "$PGDATA"
    cp "$POSTGRES_PASSWORD_FILE" /tmp/password && chown postgres /tmp/password
    su postgres -c "$bin/initdb -D $PGDATA -U $POSTGRES_USER --encoding=UTF8 --auth=scram-sha-256 --pwfile=/tmp/password"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    sed -i 's/^local.*all.*all.*/local all all trust/' "$PGDATA/pg_hba.conf"
    su postgres -c "$bin/pg_ctl -w -D $PGDATA -o '-c listen_addresses=' start"
    su postgres -c "$bin/createdb -U $POSTGRES_USER $POSTGRES_DB" || true
    su postgres -c "$bin/pg_ctl -w -D $PGDATA stop"
fi
exec setpriv --reuid postgres --regid postgres --clear-groups $bin/postgres -D $PGDATA -c listen_addresses='*'
"""


def reason() -> str:
    """Why it cannot run here; "" if it can."""
    return debian.missing() or ("" if shutil.which("docker-compose") else "docker-compose is not installed")


def _base() -> Path:
    """The base image's files, made once."""
    archive, part = _CACHE / "base.tar", _CACHE / "base.part.tar"
    with one_maker(_CACHE):
        if not archive.exists():
            debian.make(part, _PACKAGES, _WITHOUT)
            part.rename(archive)
    return archive


@dataclass
class Compose:
    """docker-compose on a copy of what a release holds; `environ` is what an operator would set."""

    engine: Engine
    directory: Path
    environ: Mapping[str, str]
    port: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def run(self, *arguments: str, check: bool = True, timeout: float = 300, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = ["docker-compose", "--project-name", "tidegate", *arguments]
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.engine.home), "DOCKER_HOST": self.engine.host} | dict(
            self.environ
        )
        done = subprocess.run(
            command, cwd=self.directory, env=environ, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            said = "" if arguments[0] == "logs" else self.run("logs", "--no-color", "--tail", "40", check=False).stdout
            raise AssertionError(f"{done.stdout[-3000:]}{done.stderr[-3000:]}{said[-20000:]}")
        return done

    def memory(self) -> str:
        """What its containers take."""
        shown = self.engine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").stdout
        used = {line.split()[0]: line.split()[1] for line in shown.splitlines()}
        return ", ".join(
            f"{name.split('_')[1]} {amount}" for name, amount in sorted(used.items()) if name.startswith("tidegate_")
        )

    def logs(self, service: str) -> str:
        """What a service has said, by the engine."""
        (container,) = self.run("ps", "-q", service).stdout.split() or [""]
        done = self.engine.docker("logs", container, check=False)
        return done.stdout + done.stderr


@dataclass(frozen=True)
class Release:
    """An engine that has all images, and what a release holds."""

    engine: Engine
    directory: Path

    @contextmanager
    def compose(self, **environ: str) -> Iterator[Compose]:
        """An installation of its own; nothing is started yet."""
        https, http = free_ports(2)
        (log,) = free_ports(1)
        settings = {
            "TIDEGATE_EXTERNAL_URL": f"https://localhost:{https}",
            "TIDEGATE_HTTPS_PORT": str(https),
            "TIDEGATE_HTTP_PORT": str(http),
            "TIDEGATE_LOG_PORT": str(log),
        }
        made = Compose(self.engine, self.directory, settings | environ, https)
        try:
            with door(self.engine.namespace, https):
                yield made
        finally:
            made.run("down", "--volumes", "--timeout", "20", check=False)


@contextmanager
def release(directory: Path) -> Iterator[Release]:
    """Built as an operator would, but of Debian's packages."""
    files = directory / "release"
    files.mkdir(parents=True)
    for name in ("authsvc", "webhook", "nginx", "registry-config", "deploy"):
        shutil.copytree(ROOT / name, files / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Dockerfile", "compose.yaml", ".dockerignore"):
        shutil.copy(ROOT / name, files / name)
    wheels = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "-r", "deploy/requirements.lock"]
    subprocess.run([*wheels, "-d", "deploy/wheels"], cwd=files, check=True, timeout=300)
    with engine(directory / "engine", network=True) as running:
        running.docker("import", str(_base()), BASE)
        _make_images(running, directory / "images")
        Compose(running, files, {"TIDEGATE_BASE": BASE}, 0).run("build", "--quiet")
        yield Release(running, files)


def _make_images(running: Engine, directory: Path) -> None:
    directory.mkdir()
    (directory / "postgres.sh").write_text(_POSTGRES)
    for name, lines in _IMAGES.items():
        (directory / "Dockerfile").write_text(f"FROM {BASE}\n{lines}")
        running.docker("build", "--quiet", "--tag", name, str(directory))
