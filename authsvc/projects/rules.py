"""Harbor's project metadata: which keys there are, and what each may hold. All values are strings. Pure."""

from collections.abc import Callable, Mapping

from authsvc.core import patterns
from authsvc.core.errors import BadRequest
from authsvc.core.patterns import BadPattern

_SEVERITIES = frozenset({"none", "negligible", "low", "medium", "high", "critical"})
_MAX_INT = 2**31
_MAX_DAYS = 3650


def _boolean(value: str) -> str | None:
    """Whatever Go's `strconv.ParseBool` takes."""
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return "true"
    return "false" if value in ("0", "f", "F", "FALSE", "false", "False") else None


def _severity(value: str) -> str | None:
    return value.lower() if value.lower() in _SEVERITIES else None


def _whole(value: str) -> str | None:
    try:
        number = int(value)
    except ValueError:
        return None
    return str(number) if -_MAX_INT <= number < _MAX_INT else None


def _days(value: str) -> str | None:
    return str(int(value)) if value.isascii() and value.isdigit() and int(value[:6]) <= _MAX_DAYS and len(value) <= 6 else None


def _unscanned(value: str) -> str | None:
    """Whether what nobody has looked at may be pulled."""
    return value if value in ("allow", "refuse") else None


def _pattern(value: str) -> str | None:
    """A pattern that is none would let nothing through, or everything."""
    try:
        patterns.check(value)
    except BadPattern:
        return None
    return value


def _pattern_kind(value: str) -> str | None:
    return value if value == "doublestar" else None


_KEYS: dict[str, Callable[[str], str | None]] = {
    "public": _boolean,
    "enable_content_trust": _boolean,
    "enable_content_trust_cosign": _boolean,
    "prevent_vul": _boolean,
    "severity": _severity,
    # Ours, of what `prevent_vul` refuses.
    "prevent_vul_only_fixable": _boolean,
    "prevent_vul_grace_days": _days,
    "prevent_vul_unscanned": _unscanned,
    "auto_scan": _boolean,
    "auto_sbom_generation": _boolean,
    "reuse_sys_cve_allowlist": _boolean,
    "proxy_speed_kb": _whole,
    "max_upstream_conn": _whole,
    "proxy_cache_local_on_not_found": _boolean,
    "proxy_referrer_api": _boolean,
    "proxy_cache_filter_pattern": _pattern,
    "proxy_cache_filter_kind": _pattern_kind,
}


def clean_metadata(given: Mapping[str, str | None]) -> dict[str, str]:
    """The metadata to store, each value in its one form. What says nothing is left out, and so are keys that we do not
    know or that cannot be set (`retention_id`): clients send back what they read.

    Raises:
        BadRequest: an impossible value, in Harbor's words.
    """
    cleaned = {}
    for key, value in given.items():
        if not value or key not in _KEYS:
            continue
        stored = _KEYS[key](value)
        if stored is None:
            raise BadRequest(f"invalid value: {value[:64]}")
        cleaned[key] = stored
    return cleaned


def strict_metadata(given: Mapping[str, object]) -> dict[str, str]:
    """As `clean_metadata`, of values of any simple type; null says nothing.

    Raises:
        BadRequest: a key that there is not or that cannot be set, or an impossible value.
    """
    if unknown := sorted(str(key) for key in given if key not in _KEYS):
        raise BadRequest(f"metadata {unknown[0][:64]} cannot be set; there are {', '.join(sorted(_KEYS))}")
    said = {key: str(value).lower() if isinstance(value, bool) else value for key, value in given.items()}
    return clean_metadata({key: str(value) for key, value in said.items() if value is not None})


def settable(metadata: Mapping[str, str]) -> dict[str, str]:
    """What of a project's metadata can be set."""
    return {key: value for key, value in metadata.items() if key in _KEYS}


def single(given: Mapping[str, str | None], key: str | None = None) -> dict[str, str]:
    """The metadata of a request about one key, which must be `key` if that is named.

    Raises:
        BadRequest: none or several, an unknown or another one, or a value that cannot be.
    """
    if len(given) != 1:
        raise BadRequest("only allow one key/value pair")
    ((found, value),) = given.items()
    if found not in _KEYS:
        raise BadRequest(f"invalid key: {found[:64]}")
    if key not in (None, found):
        raise BadRequest(f"the body must hold the key {key}, as the path does")
    if not value:
        raise BadRequest("invalid value: ")
    return clean_metadata(given)
