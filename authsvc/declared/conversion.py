"""What Harbor's installers are told, as ours are. Images, users and projects come by other ways (docs/migration.md)."""

from __future__ import annotations

import yaml

from authsvc.core.errors import BadRequest
from authsvc.declared import chart, installer
from authsvc.declared.given import Converted, Given


def convert(text: str) -> Converted:
    """`harbor.yml` or values of Harbor's chart, whichever it is.

    Raises:
        BadRequest: it is neither.
    """
    try:
        given = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadRequest(f"that is no YAML: {' '.join(str(error).split())[:200]}") from None
    if isinstance(given, dict) and "hostname" in given:
        return installer.convert(Given(given))
    if isinstance(given, dict) and given.keys() & {"expose", "externalURL", "persistence"}:
        return chart.convert(Given(given))
    raise BadRequest(
        "that is neither a harbor.yml (with `hostname`) nor values of Harbor's chart (with `expose` or `externalURL`)"
    )
