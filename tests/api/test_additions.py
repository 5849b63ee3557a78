"""What there is to read about artifacts, from layers that strangers made."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from authsvc.additions import archives
from authsvc.additions.archives import ArchiveInvalid, read_files
from tests.support.shelf import CONFIG_TYPE, HELM_CONFIG, HELM_CONTENT, LAYER_TYPE, Shelf, archive


def addition(shelf: Shelf, repository: str, tag: str, kind: str) -> tuple[int, str, bytes]:
    response = shelf.world.api("GET", shelf.path(repository, f"/{tag}/additions/{kind}"), "admin")
    return response.status_code, response.headers["Content-Type"], response.data


def test_how_an_image_was_built(shelf: Shelf) -> None:
    history = [{"created": "2026-01-01T00:00:00Z", "created_by": "RUN make"}]
    config = json.dumps({"architecture": "amd64", "os": "linux", "history": history}).encode()
    shelf.manifest("app", "v1", (config, CONFIG_TYPE), (b"x", LAYER_TYPE))
    status, content_type, body = addition(shelf, "app", "v1", "build_history")
    assert (status, content_type, json.loads(body)) == (200, "application/json; charset=utf-8", history)
    shelf.image("plain", "v1")
    assert json.loads(addition(shelf, "plain", "v1", "build_history")[2]) == []
    for kind in ("values.yaml", "nothing", "sbom"):
        assert addition(shelf, "app", "v1", kind)[0] == 400
    assert addition(shelf, "app", "v2", "build_history")[0] == 404
    shelf.index("app", "multi", "amd64")
    assert addition(shelf, "app", "multi", "build_history")[0] == 400


def test_what_a_chart_says(shelf: Shelf) -> None:
    dependencies = [{"name": "redis", "version": "9.3.2", "repository": "https://charts.example.com", "alias": "r"}]
    files = {
        "Chart.yaml": b"name: web",
        "charts/redis/values.yaml": b"not this",
        "values.yaml": b"replicas: 1\n",
        "README.md": "# Übersicht".encode(),
    }
    shelf.chart("web", "1.0.0", files, dependencies=dependencies)
    assert addition(shelf, "web", "1.0.0", "values.yaml") == (200, "text/plain; charset=utf-8", b"replicas: 1\n")
    assert addition(shelf, "web", "1.0.0", "readme.md") == (200, "text/markdown; charset=utf-8", "# Übersicht".encode())
    status, _, body = addition(shelf, "web", "1.0.0", "dependencies")
    shown = {"name": "redis", "version": "9.3.2", "repository": "https://charts.example.com"}
    assert (status, json.loads(body)) == (200, [shown])
    assert addition(shelf, "web", "1.0.0", "build_history")[0] == 400
    shelf.chart("bare", "1.0.0", {"Chart.yaml": b"name: bare"})
    assert addition(shelf, "bare", "1.0.0", "readme.md")[::2] == (200, b"")
    assert addition(shelf, "bare", "1.0.0", "dependencies")[2] == b"[]"
    links = shelf.get("web", "/1.0.0")["addition_links"]
    assert set(links) == {"values.yaml", "readme.md", "dependencies"}


def test_what_a_model_says(shelf: Shelf) -> None:
    layers = (
        (archive({"README.md": b"# Model"}), "application/vnd.cncf.model.doc.v1.tar"),
        (b"Apache-2.0", "application/vnd.cncf.model.doc.v1.raw"),
        (b"weights", "application/vnd.cncf.model.weight.v1.raw"),
    )
    paths = ("README.md", "LICENSE.txt", "model.safetensors")
    annotations = [{"org.cncf.model.filepath": path} for path in paths]
    config = (b"{}", "application/vnd.cncf.model.config.v1+json")
    shelf.manifest("model", "v1", config, *layers, layer_annotations=annotations)
    assert addition(shelf, "model", "v1", "readme.md") == (200, "text/markdown; charset=utf-8", b"# Model")
    assert addition(shelf, "model", "v1", "license")[::2] == (200, b"Apache-2.0")
    listed = json.loads(addition(shelf, "model", "v1", "files")[2])
    assert [(entry["name"], entry["type"]) for entry in listed] == [(path, "file") for path in sorted(paths)]
    shelf.manifest("model", "v2", config, layers[2], layer_annotations=annotations[2:])
    assert addition(shelf, "model", "v2", "readme.md")[0] == 404


def test_layers_that_are_no_archives_or_bombs(shelf: Shelf) -> None:
    config = (b'{"name":"x"}', HELM_CONFIG)
    bomb = archive({"x/values.yaml": b"\0" * (archives.MAX_FILE + 1)})
    for number, content in enumerate((b"garbage", bomb, gzip.compress(b"\0" * 100), archive({})[:-20])):
        shelf.manifest("x", f"v{number}", config, (content, HELM_CONTENT))
        assert addition(shelf, "x", f"v{number}", "values.yaml")[0] == 400, number
    shelf.manifest("x", "none", config)
    assert addition(shelf, "x", "none", "values.yaml")[0] == 400


def test_an_archive_is_read_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1_000_000)
    monkeypatch.setattr(archives, "MAX_ENTRIES", 50)
    with pytest.raises(ArchiveInvalid, match="more than 1000000 bytes"):
        read_files(archive({"a": b"\0" * 2_000_000}), lambda path: None)
    with pytest.raises(ArchiveInvalid, match="more than 50 entries"):
        read_files(archive({str(number): b"" for number in range(60)}), lambda path: None)
    assert read_files(archive({"./a": b"1", "b": b"2"}), lambda path: path if path == "a" else None) == {"a": b"1"}


def test_only_regular_files_are_looked_at() -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, type_ in (("x/values.yaml", tarfile.SYMTYPE), ("x/readme.md", tarfile.LNKTYPE), ("x/fifo", tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = type_, "/etc/passwd"
            tar.addfile(entry)
    assert read_files(raw.getvalue(), lambda path: path) == {}
