"""What there is to read about an artifact besides itself, by Harbor's names. Pure."""

from __future__ import annotations

from urllib.parse import quote

from authsvc.distribution.manifest import INDEXES

BUILD_HISTORY = "build_history"
VALUES, README, DEPENDENCIES = "values.yaml", "readme.md", "dependencies"
LICENSE, FILES = "license", "files"
VULNERABILITIES = "vulnerabilities"
IMAGE = "IMAGE"
_BY_TYPE = {
    IMAGE: (BUILD_HISTORY,),
    "CHART": (VALUES, README, DEPENDENCIES),
    "CNAI": (README, LICENSE, FILES),
}


def kinds(type_: str, manifest_media_type: str) -> tuple[str, ...]:
    """The additions of an artifact of that type; an index has none itself."""
    return () if manifest_media_type in INDEXES else _BY_TYPE.get(type_, ())


def links(
    type_: str, manifest_media_type: str, repository: str, digest: str, *, is_scanned: bool
) -> dict[str, dict[str, object]]:
    """Harbor's `addition_links`; `repository` is the full name, whose slashes behind the project are encoded twice. `is_scanned`:
    there is a scanner, which looks at images."""
    project, _, name = repository.partition("/")
    path = f"/api/v2.0/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}/artifacts/{digest}/additions"
    found = kinds(type_, manifest_media_type) + ((VULNERABILITIES,) if is_scanned and type_ == IMAGE else ())
    return {kind: {"href": f"{path}/{kind}", "absolute": False} for kind in found}
