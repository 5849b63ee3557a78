"""Which storage this installation's registry has."""

from __future__ import annotations

from flask import current_app

from authsvc.core.layout import Layout
from authsvc.core.own import own
from authsvc.core.settings import Settings
from authsvc.distribution import driver
from authsvc.distribution.bucket import Bucket
from authsvc.distribution.directory import ELSEWHERE, Directory
from authsvc.distribution.storage import Storage


def of(settings: Settings) -> Storage:
    """
    Raises:
        PreconditionFailed: the file that describes it cannot be used.
    """
    if settings.registry_storage_file is not None:
        return Bucket(driver.read(settings.registry_storage_file))
    return Directory(Layout(settings).storage)


def directory(storage: Storage) -> Directory:
    """The same where it is one, for what is done to single blobs."""
    return storage if isinstance(storage, Directory) else ELSEWHERE


class _Own:
    def __init__(self) -> None:
        self.storage = of(current_app.config["TIDEGATE"])


def storage() -> Storage:
    """The present application's."""
    return own(_Own).storage
