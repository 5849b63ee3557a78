"""The path itself."""

from tests.support.stack import Stack


def test_it_starts_proves_itself_and_says_how_to_log_in(stack: Stack) -> None:
    assert len(stack.admin[1]) >= 20
    assert stack.api("GET", "/users/current").json()["username"] == "admin"
    assert stack.api("GET", "/health", params={"strict": "true"}).status_code == 200
