"""A pod as kubelet runs one, on a Docker engine: its containers share a network, and volumes are directories; with what their
specification says of users, commands, environments, mounts and security."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.engine import Engine
from tests.support.network import door

Object = Mapping[str, Any]
_LOOPBACK = "127.0.0.1"


@dataclass
class Pod:
    """`files`: what secrets and config maps hold, by volume and path; `doors`: ports of the host that lead to it."""

    engine: Engine
    name: str
    directory: Path
    specification: Object
    files: Mapping[str, Mapping[str, bytes]]
    image: str
    doors: ExitStack = field(default_factory=ExitStack)

    def open(self, port: int, inner: int) -> None:
        """Its network, and its volumes; a port of the host leads to `inner`."""
        self.make_volumes()
        self.doors.enter_context(door(self.engine.namespace, port))
        published = f"{_LOOPBACK}:{port}:{inner}"
        self.engine.docker(
            "run", "--detach", "--name", self.name, "-p", published, "--entrypoint", "sleep", self.image, "infinity"
        )

    def make_volumes(self) -> None:
        """A directory for each, as kubelet gives them."""
        for volume in self.specification["volumes"]:
            place = self.directory / volume["name"]
            place.mkdir(parents=True)
            for path, content in self.files.get(volume["name"], {}).items():
                (place / path).write_bytes(content)
                (place / path).chmod(0o440)
                os.chown(place / path, 0, self._group)
            os.chown(place, self._user, self._group)
            place.chmod(0o2770)

    @property
    def _user(self) -> int:
        return int(self.specification["securityContext"]["runAsUser"])

    @property
    def _group(self) -> int:
        return int(self.specification["securityContext"]["fsGroup"])

    def run_once(self) -> None:
        """Its init containers, or, of a job, its containers."""
        for container in self._once() or self.specification["containers"]:
            self.engine.docker("run", "--rm", *self._options(container))

    def _once(self) -> list[Object]:
        return [one for one in self.specification.get("initContainers", []) if "restartPolicy" not in one]

    def _lasting(self) -> list[Object]:
        sidecars = [one for one in self.specification.get("initContainers", []) if one.get("restartPolicy") == "Always"]
        return [*sidecars, *self.specification["containers"]]

    def start(self) -> None:
        """Its sidecars and containers."""
        for container in self._lasting():
            self.engine.docker("run", "--detach", "--name", f"{self.name}-{container['name']}", *self._options(container))

    def container(self, name: str) -> Object:
        """What is said of one."""
        return next(one for one in self._lasting() if one["name"] == name)

    def _options(self, container: Object) -> list[str]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        options = ["--network", f"container:{self.name}", "--user", f"{self._user}:{self._group}", "--read-only"]
        options += ["--security-opt", "no-new-privileges", *(f"--cap-drop={one}" for one in context["capabilities"]["drop"])]
        for entry in container.get("env", []):
            options += ["--env", f"{entry['name']}={entry['value']}"]
        for mount in container["volumeMounts"]:
            source = self.directory / mount["name"] / mount.get("subPath", "")
            options += ["--volume", f"{source}:{mount['mountPath']}" + (":ro" if mount.get("readOnly") else "")]
        entry_point, *rest = container.get("command", [""])
        options += ["--entrypoint", entry_point] if entry_point else []
        return [*options, container["image"], *rest, *container.get("args", [])]

    def execute(self, container: str, *command: str, stdin: str = "", check: bool = True) -> str:
        """What a command says that is run in a container."""
        return self.engine.docker("exec", "-i", f"{self.name}-{container}", *command, stdin=stdin, check=check).stdout

    def succeeds(self, container: str, *command: str) -> bool:
        """Whether a command does, as a probe asks."""
        return self.engine.docker("exec", f"{self.name}-{container}", *command, check=False).returncode == 0

    def logs(self) -> str:
        """What all have said last."""
        said = []
        for container in self._lasting():
            done = self.engine.docker("logs", "--tail", "40", f"{self.name}-{container['name']}", check=False)
            said.append(f"-- {container['name']}\n{done.stdout}{done.stderr}")
        return "\n".join(said)

    def close(self) -> None:
        """All of it is gone."""
        self.doors.close()
        named = self.engine.docker("ps", "--all", "--quiet", "--filter", f"name=^{self.name}(-|$)").stdout.split()
        self.engine.docker("rm", "--force", *named, check=False)
