"""Harbor's project metadata: which keys there are, and what each may hold. All values are strings."""

from collections.abc import Mapping

from authsvc.core.errors import BadRequest

_BOOLEAN = frozenset({"true", "false"})
_KEYS: dict[str, frozenset[str] | None] = {
    "public": _BOOLEAN,
    "enable_content_trust": _BOOLEAN,
    "enable_content_trust_cosign": _BOOLEAN,
    "prevent_vul": _BOOLEAN,
    "severity": frozenset({"none", "unknown", "negligible", "low", "medium", "high", "critical"}),
    "auto_scan": _BOOLEAN,
    "auto_sbom_generation": _BOOLEAN,
    "reuse_sys_cve_allowlist": _BOOLEAN,
    "proxy_speed_kb": None,
    "max_upstream_conn": None,
    "proxy_cache_local_on_not_found": _BOOLEAN,
    "proxy_referrer_api": _BOOLEAN,
    "proxy_cache_filter_pattern": None,
    "proxy_cache_filter_kind": None,
}


def clean_metadata(given: Mapping[str, str | None]) -> dict[str, str]:
    """The metadata to store; keys set to None are left out.

    Raises:
        BadRequest: unknown key or impossible value.
    """
    cleaned = {}
    for key, value in given.items():
        if value is None:
            continue
        if key not in _KEYS:
            raise BadRequest(f"invalid key: {key}")
        allowed = _KEYS[key]
        if allowed is not None and value.lower() not in allowed:
            raise BadRequest(f"invalid value: {value} for {key}: {' or '.join(sorted(allowed))}")
        cleaned[key] = value if allowed is None else value.lower()
    return cleaned
