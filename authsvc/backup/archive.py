"""One file of several, compressed and encrypted."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Collection, Mapping
from pathlib import Path

from authsvc.backup.files import KeepGoing, Watched, sha256
from authsvc.backup.keys import Identities, Recipients
from authsvc.core.errors import PreconditionFailed

DATABASE, MASTER_KEY, SETTINGS, LINKS = "database.db", "master-key", "settings.env", "links"
# Files that the operator has made and settings name, by setting.
GIVEN: Mapping[str, str] = {
    "tls_certificate": "certificate.pem",
    "tls_key": "certificate-key.pem",
    "registry_storage_file": "registry-storage.yml",
    "backup_bucket_file": "backup-bucket.yml",
    "database_password_file": "database-password",
}
NAMES: Collection[str] = (DATABASE, MASTER_KEY, SETTINGS, LINKS, *GIVEN.values())


def pack(directory: Path, target: Path, recipients: Recipients, keep_going: KeepGoing) -> tuple[int, str]:
    """Write what is in a directory into an archive; its size and SHA-256."""
    bundle = directory / ".tar"
    with tarfile.open(bundle, "w:gz", compresslevel=6) as tar:
        for name in NAMES:
            if (directory / name).exists():
                with (directory / name).open("rb") as source:
                    tar.addfile(tar.gettarinfo(directory / name, name), Watched(source, keep_going))
    with bundle.open("rb") as source, target.open("xb") as file:
        recipients.encrypt(Watched(source, keep_going), file)
    bundle.unlink()
    return target.stat().st_size, sha256(target, keep_going)


def unpack(archive: Path, digest: str, directory: Path, identities: Identities) -> None:
    """Read an archive into a directory.

    Raises:
        PreconditionFailed: it is damaged, or is for others.
    """
    if not archive.exists() or sha256(archive) != digest:
        raise PreconditionFailed(f"{archive} is damaged: it is not what was written")
    bundle = directory / ".tar"
    with archive.open("rb") as source, bundle.open("wb") as target:
        identities.decrypt(source, target)
    with tarfile.open(bundle, "r:gz") as tar:
        for member in tar:
            source_of_member = tar.extractfile(member) if member.name in NAMES and member.isfile() else None
            if source_of_member is not None:
                with source_of_member, (directory / member.name).open("wb") as target:
                    shutil.copyfileobj(source_of_member, target)
    bundle.unlink()
