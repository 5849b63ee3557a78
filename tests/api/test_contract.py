"""The OpenAPI document against the application: schemathesis makes requests of it, valid and not, and reads the answers.

No answer is a 5xx (but 503 where something else is down), none has a status, header or body that the document does not name.
What paths speak of exists, most of the time, and nothing that is done lasts.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from authsvc.core.harbor import shape
from tests.api import operations as ops
from tests.api.matrix import Matrix
from tests.support.rounds import rounds

_PARTS = 4  # each well within the time of a test
EXAMPLES = rounds(3, 40)  # of each operation
CHECKS: list[Any] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.once
@pytest.mark.parametrize("part", range(_PARTS))
def test_the_document_is_true(matrix: Matrix, part: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    schema = schemathesis.openapi.from_wsgi("/api/v2.0/openapi.json", matrix.world.front)
    wrong: list[str] = []
    for result in islice(schema.get_all_operations(), part, None, _PARTS):
        operation: APIOperation[Any, Any, Any, Any] = result.ok()  # type: ignore[union-attr] # it raises if it is none
        if "200" in operation.definition.raw["responses"] or "201" in operation.definition.raw["responses"]:
            wrong += _try(matrix, operation)
    assert not wrong, f"{len(wrong)} operations:\n" + "\n".join(wrong)


def _try(matrix: Matrix, operation: APIOperation[Any, Any, Any, Any]) -> list[str]:
    """What is wrong with an operation."""
    modes = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    path = operation.path.removeprefix("/api/v2.0")
    real = {shape(one.path): one for one in ops.OPERATIONS}.get(shape(path))

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=st.one_of(modes), existing=st.integers(0, 3))
    def attempt(case: Case[Any], existing: int) -> None:
        if existing and real is not None:
            _point_at_what_exists(matrix, case, real.path)
        with matrix.world.undone():
            response = case.call(headers=matrix.headers[ops.ADMIN])
        assert response.status_code < 500 or response.status_code == 503, f"{response.status_code}: {case.as_curl_command()}"
        case.validate_response(response, checks=CHECKS)

    try:
        attempt()
    except FailureGroup as group:
        return [f"{operation.label}: {failure}" for failure in group.exceptions]
    except Exception as error:
        return [f"{operation.label}: {type(error).__name__}: {error}"]
    return []


def _point_at_what_exists(matrix: Matrix, case: Case[Any], path: str) -> None:
    parameters: dict[str, Any] = case.path_parameters
    for name in parameters:
        parameters[name] = matrix.here.value(name, path[: path.index(f"{{{name}}}") + len(name) + 2])
