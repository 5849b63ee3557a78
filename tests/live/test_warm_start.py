"""Starting again finds everything as it was; stopping leaves nothing behind."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.support.stack import Stack
from tests.support.waiting import eventually


def _state(stack: Stack) -> dict[str, str]:
    kept = ("keys", "tls", "secrets")
    files = [path for name in kept for path in (stack.state_dir / name).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _everything(directory: Path) -> list[Path]:
    return [directory, *directory.rglob("*")]


def _closed(path: Path) -> int:
    """What of a file's mode must not be. nginx reads blobs as a user of its own, and passes through to them."""
    match path.parts:
        case ():
            return 0o066
        case ("registry", *_):
            return 0o027
    return 0o077


def test_a_second_start_is_warm_and_changes_nothing(own_stack: Stack) -> None:
    stack = own_stack.start()
    eventually(lambda: not (stack.state_dir / "secrets" / "first-admin-password").exists())  # it was shown, so it goes
    password, state = stack.admin[1], _state(stack)
    for path in _everything(stack.state_dir):
        if not path.is_socket() and "nginx" not in path.parts:
            assert path.stat().st_mode & _closed(path.relative_to(stack.state_dir)) == 0, path
    stack.stop()
    assert not any(stack.pids(program) for program in ("registry", "token", "api", "webhook", "worker", "nginx"))
    stack.start()
    assert stack.admin[1] == password, "no new password was printed"
    assert _state(stack) == state
    assert stack.api("GET", "/users/current").status_code == 200
    _many_logins_from_one_address(stack)


def _many_logins_from_one_address(stack: Stack) -> None:
    """At the end of a stack, since it keeps others out for a while: nginx answers them by itself."""

    def log_in(_: int) -> requests.Response:
        return requests.post(f"{stack.url}/c/login", headers={"Origin": stack.url}, verify=str(stack.ca), timeout=30)

    with ThreadPoolExecutor(8) as crowd:
        answers = eventually(lambda: [one for one in crowd.map(log_in, range(40)) if one.status_code == 429])
    assert answers[0].json()["errors"][0]["message"] == "too much at once from your address; try again in a moment"
    assert answers[0].headers["Retry-After"] == "2"
    assert stack.api("GET", "/users/current").status_code == 200


def test_another_one_on_the_same_ports_says_so(stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other", environ=stack.environ | {"TIDEGATE_STATE_DIR": str(tmp_path / "other")})
    second = other.cli("up", check=False)
    assert second.returncode != 0
    assert "cannot be used (Address already in use): does something else listen there?" in second.stderr
    assert "Traceback" not in second.stderr


def test_no_secret_is_in_any_log(stack: Stack) -> None:
    stack.token(auth=(stack.admin[0], "a-wrong-password-canary"))
    secrets = [path.read_text().strip() for path in (stack.state_dir / "secrets").iterdir()]
    logs = "".join(path.read_text(errors="replace") for path in stack.log_dir.iterdir())
    for secret in [*secrets, stack.admin[1], "a-wrong-password-canary"]:
        assert secret not in logs
