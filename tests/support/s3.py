"""A server that speaks S3, and a bucket in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.support.ports import free_ports
from tests.support.waiting import until_up

BUCKET, REGION = "images", "eu-central-1"
# Of this machine's own: neither accounts nor authorities of others.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@dataclass(frozen=True)
class S3:
    """`parameters`: the registry's, of `s3` in its storage section."""

    url: str

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "region": REGION,
            "regionendpoint": self.url,
            "bucket": BUCKET,
            "accesskey": "an account",
            "secretkey": "canary-of-the-bucket",
            "rootdirectory": "/tidegate",
            "secure": False,
            "forcepathstyle": True,  # registry 3 would ask for a host of the bucket's name
        }

    def described(self, directory: Path, **more: Any) -> Path:
        """The file that a setting names."""
        file = directory / "storage.yml"
        file.write_text(yaml.safe_dump({"s3": self.parameters} | more))
        file.chmod(0o600)
        return file


@contextmanager
def s3(directory: Path) -> Iterator[S3]:
    """Start one on a free port, and stop it."""
    port = free_ports(1)[0]
    log = directory / "s3.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=ENVIRONMENT)
    there = S3(f"http://127.0.0.1:{port}")
    try:
        place = f"<LocationConstraint>{REGION}</LocationConstraint>"
        body = f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>"
        until_up(process, log, lambda: requests.put(f"{there.url}/{BUCKET}", data=body, timeout=5).ok)
        yield there
    finally:
        process.terminate()
        process.wait(timeout=10)
