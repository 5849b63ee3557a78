"""Pictures of what an artifact is, by Harbor's types, drawn here; their digests are what the API shows as `icon`. Pure."""

from __future__ import annotations

import hashlib

MEDIA_TYPE = "image/svg+xml"
_FRAME = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="{color}" '
    'stroke-width="2" stroke-linejoin="round" stroke-linecap="round"><path d="{path}"/></svg>'
)
_BOX = "M12 2l9 5v10l-9 5-9-5V7zM3 7l9 5 9-5M12 12v10"
_PEN = "M4 20h16M6 16l9-12 3 2-9 12-4 1zM13 6l3 2"
_LIST = "M5 2h14v20H5zM8 7h8M8 12h8M8 17h5"
_DRAWN = {
    "": ("#555", _BOX),
    "IMAGE": ("#0b5cad", _BOX),
    "CHART": ("#0f1689", "M12 3v3M12 18v3M3 12h3M18 12h3M12 7a5 5 0 1 0 .01 0M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2"),
    "CNAB": ("#7a3e9d", "M3 3h8v8H3zM13 3h8v8h-8zM3 13h8v8H3zM13 13h8v8h-8z"),
    "CNAI": ("#a15c00", "M6 6h12v12H6zM10 10h4v4h-4zM9 2v4M15 2v4M9 18v4M15 18v4M2 9h4M2 15h4M18 9h4M18 15h4"),
    "WASM": ("#654ff0", "M3 3h6a3 3 0 0 0 6 0h6v18H3zM6 11l2 6 2-6 2 6M14 17l2-6 2 6"),
    "SBOM": ("#1d7a3a", _LIST),
    "signature.cosign": ("#1d7a3a", _PEN),
    "signature.notation": ("#0b5cad", _PEN),
    "sbom.harbor": ("#1d7a3a", _LIST),
    "accelerator.nydus": ("#a15c00", "M13 2L4 14h6l-1 8 9-12h-6z"),
    "subject.accessory": ("#555", "M8 12l6-6a3.5 3.5 0 0 1 5 5l-8 8a5.5 5.5 0 0 1-8-8l7-7"),
}
_PICTURES = {type_: _FRAME.format(color=color, path=path).encode() for type_, (color, path) in _DRAWN.items()}
_DIGESTS = {type_: "sha256:" + hashlib.sha256(picture).hexdigest() for type_, picture in _PICTURES.items()}
_BY_DIGEST = {_DIGESTS[type_]: picture for type_, picture in _PICTURES.items()}


def digest_of(type_: str) -> str:
    """The digest of the picture for an artifact's or accessory's type."""
    return _DIGESTS.get(type_) or _DIGESTS[""]


def picture(digest: str) -> bytes | None:
    """The picture with that digest, or None."""
    return _BY_DIGEST.get(digest)
