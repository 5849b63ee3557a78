"""What Harbor has and we do not (yet): a clear 501 for whoever is logged in, instead of a 404 that reads like a wrong address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from flask import Flask

from authsvc.core.api import PREFIX
from authsvc.core.errors import NotServed
from authsvc.core.harbor import HarborOperation, operations, shape
from authsvc.rbac.guard import require_login


def init(app: Flask) -> None:
    """Answer every operation of Harbor's that has no route by now."""
    rules = [(rule.methods or set(), shape(rule.rule)) for rule in app.url_map.iter_rules()]
    served = {(method, path) for methods, path in rules for method in methods}
    for operation in operations():
        if (operation.method, shape(PREFIX + operation.path)) not in served:
            app.add_url_rule(
                PREFIX + operation.path.replace("{repository_name}", "<repository:repository_name>").translate(_BRACKETS),
                endpoint=f"unserved.{operation.name}",
                view_func=_refuse(operation),
                methods=[operation.method],
                provide_automatic_options=False,
            )


_BRACKETS = str.maketrans("{}", "<>")


def _refuse(operation: HarborOperation) -> Callable[..., Any]:
    def view(**names: str) -> NoReturn:
        require_login()
        raise NotServed(f"{operation.name} is an operation of Harbor's that this registry does not have")

    return view
