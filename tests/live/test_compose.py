"""compose.yaml on a real engine: up, a login, a push and a pull; each service may start or be made anew; `down` and `up` keep
everything."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests
import urllib3
import yaml

from authsvc.backup.keys import new_identity
from tests.support import chart, containers, network, offline
from tests.support.certificates import make_authority
from tests.support.containers import BASE, Compose, Release, release
from tests.support.pod import Pod
from tests.support.ports import free_ports
from tests.support.rawclient import RawClient, Refused
from tests.support.rounds import THOROUGH
from tests.support.stack import Stack
from tests.support.waiting import eventually

SERVICES = ("registry", "authsvc", *(("webhook", "worker", "nginx") if THOROUGH else ()))
FULL = {
    "COMPOSE_PROFILES": "full",
    "TIDEGATE_DATABASE_URL": "postgresql://tidegate@postgres/tidegate",
    "TIDEGATE_GC_GRACE_SECONDS": "0",
}
# A host without a network has the small one in each run.
PROFILES: dict[str, dict[str, str]] = {"full": FULL} | ({"small": {}} if THOROUGH else {})
SLOW = 180.0  # seconds

pytestmark = [pytest.mark.timeout(900), pytest.mark.skipif(bool(containers.reason()), reason=containers.reason())]


def on(*profiles: str) -> pytest.MarkDecorator:
    """For a test that need not run on each."""
    return pytest.mark.parametrize("running", [PROFILES[name] for name in profiles], ids=profiles, indirect=True)


@dataclass
class Installation:
    """What runs, and a client's view of it."""

    compose: Compose
    stack: Stack
    name: str
    seconds: float
    identity: str

    @property
    def client(self) -> RawClient:
        return RawClient(self.stack, self.stack.admin)

    def is_well(self) -> bool:
        """A push works, and is in the index."""
        try:
            self.client.push("library/well", "latest")
        except (Refused, requests.RequestException):
            return False
        return self.stack.is_well()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    with release(tmp_path_factory.mktemp("release")) as made:
        yield made


@pytest.fixture(scope="module", params=[*PROFILES.values()], ids=[*PROFILES])
def running(request: pytest.FixtureRequest, built: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    identity, recipient = new_identity()
    with built.compose(**request.param, TIDEGATE_BACKUP_RECIPIENTS=recipient, TIDEGATE_BACKUP_HOURS="0") as made:
        begun = time.monotonic()
        made.run("up", "--detach")
        stack = Stack(tmp_path_factory.mktemp("client"), ports={"https": made.port})
        said = eventually(lambda: re.search(r"Password\s+(\S+)", made.logs("ready")), SLOW)
        assert said is not None
        seconds = time.monotonic() - begun
        stack.admin = ("admin", said[1])
        stack.ca.parent.mkdir(parents=True)
        stack.ca.write_bytes(_authority(made))
        yield Installation(made, stack, "full" if request.param else "small", seconds, identity)


def _authority(made: Compose) -> bytes:
    """As a newcomer gets it; from then on everything is verified."""
    with urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False) as pool:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        answer = pool.request("GET", f"{made.url}/api/v2.0/systeminfo/getcert")
    assert answer.status == 200
    return answer.data


def test_up_says_how_to_log_in_and_works(running: Installation, record_property: Callable[[str, object], None]) -> None:
    digest = running.client.push("library/hello", "v1")
    assert running.client.manifest("library/hello", "v1").headers["Docker-Content-Digest"] == digest
    (artifact,) = running.stack.api("GET", "/projects/library/repositories/hello/artifacts").json()
    assert artifact["digest"] == digest
    assert running.stack.is_well()
    record_property(f"compose, {running.name}", f"ready after {running.seconds:.1f} s, {running.compose.memory()}")


@on("full")
@pytest.mark.parametrize("service", SERVICES)
def test_each_service_may_start_again(running: Installation, service: str) -> None:
    running.compose.run("restart", "--timeout", "20", service)
    eventually(running.is_well, SLOW)


@on("full")
@pytest.mark.skipif(not THOROUGH, reason="THOROUGH=1 tries it")
def test_a_container_that_is_made_anew_is_found(running: Installation) -> None:
    """At another address than before: somebody else has taken the old one."""
    running.compose.run("rm", "--force", "--stop", "authsvc")
    running.compose.run("run", "--detach", "--no-deps", "--name", "squatter", "worker")
    running.compose.run("up", "--detach", "authsvc")
    eventually(running.is_well, SLOW)
    running.compose.engine.docker("rm", "--force", "squatter")


def test_down_and_up_keep_everything(running: Installation) -> None:
    digest = running.client.push("library/kept", "v1")
    running.compose.run("down", "--timeout", "20")
    running.compose.run("up", "--detach")
    eventually(running.is_well, SLOW)
    assert running.client.manifest("library/kept", "v1").headers["Docker-Content-Digest"] == digest
    assert "Password " not in eventually(lambda: running.compose.logs("ready"), SLOW), "it was shown once"


def test_the_log_holds_what_each_service_says(running: Installation) -> None:
    def sizes() -> dict[str, int]:
        listed = running.compose.run("exec", "-T", "log", "sh", "-c", "cd /var/log/tidegate && wc -c *.log").stdout
        return {name: int(size) for size, name in (line.split() for line in listed.splitlines()) if name != "total"}

    running.client.token("repository:library/hello:pull")
    eventually(lambda: {f"tidegate_{name}_1.log" for name in ("nginx", "registry", "authsvc")} <= sizes().keys())
    assert all(sizes().values())


@on("full")
def test_logs_are_rotated(running: Installation) -> None:
    """A file that has grown to 20 MB is put aside, the one before it compressed; what is said then goes into a new one."""
    port = int(running.compose.environ["TIDEGATE_LOG_PORT"])

    def inside(command: str) -> str:
        return running.compose.run("exec", "-T", "log", "sh", "-c", f"cd /var/log/tidegate; {command}", check=False).stdout

    with network.datagrams(running.compose.engine.namespace) as sender:

        def say(what: str, times: int = 1) -> None:
            for _ in range(times):
                time.sleep(0.001)  # or most are lost: whoever talks waits for nobody
                said = f"<14>1 2026-01-02T03:04:05.678901+00:00 host chatter - - - {what}"
                sender.sendto(said.encode(), ("127.0.0.1", port))

        def is_rotated() -> bool:
            say("x" * 50_000, 100)
            return {"chatter.log", "chatter.log.1", "chatter.log.2.gz"} <= set(inside("ls").split())

        def is_heard() -> bool:
            say("the last word")
            return "the last word" in inside("grep word chatter.log")

        eventually(is_rotated, SLOW)
        eventually(is_heard, SLOW)


def test_nobody_has_more_than_he_needs(running: Installation) -> None:
    """No root, no capability, no writable root; no secret in an environment; the registry and nginx see nothing of ours."""
    for service in SERVICES:
        (container,) = running.compose.run("ps", "-q", service).stdout.split()
        (about,) = json.loads(running.compose.engine.docker("inspect", container).stdout)
        assert about["Config"]["User"] in ("tidegate", "10001:10001"), service
        assert about["HostConfig"]["ReadonlyRootfs"] is True
        assert about["HostConfig"]["CapDrop"] == ["ALL"]
        assert not [line for line in about["Config"]["Env"] if re.search("PASSWORD=|SECRET=|KEY=", line)]
    for service in ("registry", "nginx"):
        listed = running.compose.run("exec", "-T", service, "sh", "-c", "ls /run/tidegate /var/lib/tidegate", check=False)
        assert listed.returncode != 0, service


@on("full")
def test_a_backup_comes_back(running: Installation, record_property: Callable[[str, object], None]) -> None:
    """On a host where nothing else is left."""
    compose = running.compose
    digest = running.client.push("library/treasure", "v1")
    name = compose.run("exec", "-T", "worker", "authsvc", "backup", "create").stdout.strip()
    said = compose.run(
        "exec", "-T", "worker", "authsvc", "backup", "verify", "--read-only", "--identity", "-", stdin=running.identity
    ).stdout
    assert f"{name} is whole" in said
    running.client.push("library/later", "v1")
    compose.run("down", "--timeout", "20")
    volumes = compose.engine.docker("volume", "ls", "--quiet").stdout.split()
    compose.engine.docker("volume", "rm", *(one for one in volumes if one != "tidegate_backups"))
    begun = time.monotonic()
    compose.run("up", "--detach", "postgres")
    eventually(lambda: compose.run("exec", "-T", "postgres", "pg_isready", "-U", "tidegate", check=False).returncode == 0, SLOW)
    said = compose.run("run", "--rm", "-T", "restore", "--identity", "-", stdin=running.identity).stdout
    assert f"restored {name}" in said
    compose.run("up", "--detach")
    eventually(running.is_well, SLOW)
    record_property(f"compose, {running.name}", f"restored and up in {time.monotonic() - begun:.1f} s")
    running.stack.ca.write_bytes(_authority(compose))
    assert running.client.manifest("library/treasure", "v1").headers["Docker-Content-Digest"] == digest
    (artifact,) = running.stack.api("GET", "/projects/library/repositories/treasure/artifacts").json()
    assert artifact["digest"] == digest
    assert running.stack.api("GET", "/projects/library/repositories/later/artifacts").status_code == 404
    found = json.loads(
        compose.run("exec", "-T", "worker", "authsvc", "doctor", "-o", "json", "--at", "nginx", check=False).stdout
    )
    assert [one for one in found if one["status"] == "error"] == []


@on("full")
def test_the_worker_deletes_what_nothing_needs(running: Installation) -> None:
    kept, gone = (running.client.push("library/well", tag, tag) for tag in ("kept", "gone"))
    assert running.stack.api("DELETE", f"/projects/library/repositories/well/artifacts/{gone}").status_code == 200
    told = json.loads(running.compose.run("exec", "-T", "worker", "authsvc", "gc").stdout)
    assert told["purged_blobs"] >= 3, told
    assert running.client.manifest("library/well", "kept").headers["Docker-Content-Digest"] == kept


VALUES = """
externalURL: https://localhost:{port}
image: {{tag: latest}}
database: {{url: "postgresql://tidegate@127.0.0.1/tidegate"}}
tls: {{existingSecret: tls}}
"""


def test_a_pod_of_the_chart(built: Release, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """The job that brings the database up, then the pod with what its specification says."""
    (port,) = free_ports(1)
    done = chart.helm("template", "tidegate", str(chart.CHART), "-f", "-", stdin=VALUES.format(port=port))
    assert done.returncode == 0, done.stderr
    objects = {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}
    authority = make_authority(tmp_path, "localhost")
    files = {
        "database": {"password": b"known to both"},
        "master-key": {"key": b"what nodes know, and nobody else does"},
        "tls": {"tls.crt": authority.certificate.read_bytes(), "tls.key": authority.key.read_bytes()},
    }
    begun = time.monotonic()
    pod = Pod(built.engine, "pod", tmp_path / "volumes", objects["Deployment"]["spec"]["template"]["spec"], files, BASE)
    stack = Stack(tmp_path / "client", ports={"https": port})
    stack.ca.parent.mkdir(parents=True)
    stack.ca.write_bytes(authority.ca.read_bytes())
    stack.admin = ("admin", "A-password-of-my-own-7")
    try:
        pod.open(port, 8443)
        _postgres(built, pod)
        job = replace(pod, directory=tmp_path / "job", specification=objects["Job"]["spec"]["template"]["spec"])
        job.make_volumes()
        job.run_once()
        pod.run_once()
        pod.start()
        eventually(lambda: pod.succeeds("authsvc", "authsvc-healthy", "5101", "5102", "5103"), SLOW)
        pod.execute("authsvc", "authsvc", "users", "reset-password", "admin", "--password-stdin", stdin=stack.admin[1])
        installation = Installation(Compose(built.engine, built.directory, {}, port), stack, "pod", 0, "")
        eventually(installation.is_well, SLOW)
        record_property("pod", f"ready after {time.monotonic() - begun:.1f} s")
        digest = installation.client.push("library/hello", "v1")
        assert installation.client.manifest("library/hello", "v1").headers["Docker-Content-Digest"] == digest
        assert pod.succeeds("registry", *pod.container("registry")["readinessProbe"]["exec"]["command"])
        ready = built.engine.docker("exec", "pod-registry", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/healthz/ready")
        assert ready.stdout == "ready\n"
        found = json.loads(pod.execute("authsvc", "authsvc", "doctor", "-o", "json", "--at", "127.0.0.1", check=False))
        assert [one for one in found if one["status"] == "error"] == []
    except BaseException:
        print(pod.logs())
        raise
    finally:
        pod.close()


def _postgres(built: Release, pod: Pod) -> None:
    """Beside it, in its network."""
    environ = {"POSTGRES_USER": "tidegate", "POSTGRES_DB": "tidegate", "POSTGRES_PASSWORD_FILE": "/secret/password"}
    options = [option for name, value in environ.items() for option in ("--env", f"{name}={value}")]
    secret = pod.directory / "database"
    built.engine.docker(
        "run", "--detach", "--name", "pod-postgres", "--network", f"container:{pod.name}", *options, "--volume",
        f"{secret}:/secret:ro", "postgres:16",
    )  # fmt: skip
    eventually(lambda: pod.succeeds("postgres", "pg_isready", "-h", "127.0.0.1", "-U", "tidegate"), SLOW)


def test_a_host_without_a_network(
    built: Release,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    """The package is looked at, installed, and installed once more, where nothing can be fetched."""
    package = offline.pack(built.engine, tmp_path)
    into = tmp_path / "opt"
    install = [str(package.release / "install.sh"), "--into", str(into), "--yes", "--key", str(package.key)]
    with offline.host(tmp_path_factory.mktemp("host")) as host:
        done = host.run(*install, "--check")
        assert (done.returncode, "by which address do clients come" in done.stdout) == (1, True), done.stdout + done.stderr
        install += ["--url", "https://localhost:8443"]
        done = host.run(*install, "--check")
        assert (done.returncode, into.exists(), "WRONG" in done.stdout) == (0, False, False), done.stdout + done.stderr
        begun = time.monotonic()
        done = host.run(*install)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"Password\s+(\S+)", done.stdout), done.stdout
        record_property("offline", f"installed and tried in {time.monotonic() - begun:.1f} s")
        assert "Pong" in host.asks("https://localhost:8443/api/v2.0/ping")
        (into / ".env").write_text(f"TIDEGATE_JOB_WORKERS=2\n{(into / '.env').read_text()}")
        again = host.run(*install)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "bring the installation that is there" in again.stdout
        assert "Password " not in again.stdout, "it is the same"
        assert (into / ".env").read_text().count("TIDEGATE_IMAGE=") == 1
        assert (into / ".env").stat().st_mode & 0o077 == 0
        (package.release / "CHANGELOG.md").write_text("another one")
        done = host.run(*install)
        assert (done.returncode, "this release is damaged" in done.stdout) == (1, True)
        subprocess.run(
            "sha256sum $(find . -type f ! -name 'SHA256SUMS*') > SHA256SUMS", shell=True, cwd=package.release, check=True
        )
        done = host.run(*install)
        assert (done.returncode, "this release is not signed with" in done.stdout) == (1, True)
        host.run("docker", "rm", "--force", *host.run("docker", "ps", "--all", "--quiet").stdout.split())
