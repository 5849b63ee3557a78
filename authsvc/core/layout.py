"""Where things lie below `state_dir`."""

from dataclasses import dataclass
from pathlib import Path

from authsvc.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Layout:
    settings: Settings

    @property
    def root(self) -> Path:
        return self.settings.state_dir

    @property
    def keys(self) -> Path:
        """The token signing keys."""
        return self.root / "keys"

    @property
    def tls(self) -> Path:
        """The certificates that nginx serves, and the authority below which we make them."""
        return self.root / "tls"

    @property
    def ca_certificate(self) -> Path:
        """What clients must trust; there is none when the operator brought a certificate."""
        return self.tls / "ca.crt"

    @property
    def server_certificate(self) -> Path:
        """Below our own authority, when the operator gives none."""
        return self.tls / "server.crt"

    @property
    def master_key(self) -> Path:
        """What the secrets that nodes share are sealed with in the database."""
        return self.settings.master_key_file or self.secrets / "master-key"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def nginx(self) -> Path:
        """What nginx keeps for a while."""
        return self.root / "nginx"

    @property
    def webhook_secret(self) -> Path:
        """What the registry shows the webhook."""
        return self.secrets / "webhook"

    @property
    def registry_http_secret(self) -> Path:
        """What the registry signs upload states with."""
        return self.secrets / "registry-http"

    @property
    def proxy_secret(self) -> Path:
        """What nginx shows us."""
        return self.secrets / "proxy"

    @property
    def sealing_key(self) -> Path:
        """What stored secrets of other systems are sealed with."""
        return self.secrets / "sealing-key"

    @property
    def storage(self) -> Path | None:
        """What the registry's filesystem driver calls its root directory; None if it stores in a bucket."""
        if self.settings.registry_storage_file is not None:
            return None
        return self.settings.registry_storage or self.root / "registry"

    @property
    def disks(self) -> dict[str, Path]:
        """Directories that grow, of those that there are: state, and blobs if they are in one."""
        named = {"state": self.root, "blobs": self.storage}
        return {name: path for name, path in named.items() if path is not None and path.exists()}

    @property
    def selftest(self) -> Path:
        """What the last self-test found: `{"time", "trouble"}`."""
        return self.root / "run" / "selftest.json"

    @property
    def done(self) -> Path:
        """What `up` has done last of what it was asked: `{"process", "done", "trouble"}`, a number that grows."""
        return self.root / "run" / "done.json"

    @property
    def pulse(self) -> Path:
        """A file for each process that says by it that it is alive."""
        return self.root / "run" / "pulse"

    @property
    def counted(self) -> Path:
        """Says where the files are that processes count in."""
        return self.root / "run" / "counted"

    @property
    def hashing(self) -> Path:
        """A file for each password that may be looked at at a time."""
        return self.root / "run" / "hashing"

    @property
    def config(self) -> Path:
        """Rendered configuration files."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "log"
