"""What kustomize makes of infra/k8s, and what the kubelet would make of a container in it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fastproxy.config import Settings, load
from testkit.process import ROOT
from tests.infra.dockerfile import read

FOLDER = ROOT / "infra" / "k8s"
OVERLAYS = sorted(folder.name for folder in (FOLDER / "overlays").iterdir())
Resource = dict[str, Any]


def kubectl() -> str | None:
    """kubectl, which has kustomize inside; None where there is none."""
    return shutil.which("kubectl")


@cache
def composed(overlay: str) -> list[Resource]:
    """The resources of an overlay, as they would be applied."""
    command = [str(kubectl()), "kustomize", FOLDER / "overlays" / overlay]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def of_kind(resources: list[Resource], kind: str) -> dict[str, Resource]:
    """Those of a kind, by name."""
    return {found["metadata"]["name"]: found for found in resources if found["kind"] == kind}


def example_secret() -> dict[str, str]:
    """Keys and values of the example Secret."""
    values: dict[str, str] = yaml.safe_load((FOLDER / "secret.example.yaml").read_text())["stringData"]
    return values


@dataclass(frozen=True)
class Pod:
    """A Deployment's pod, and our container in it."""

    resources: list[Resource]
    deployment: Resource

    @property
    def template(self) -> Resource:
        """Metadata and spec."""
        found: Resource = self.deployment["spec"]["template"]
        return found

    @property
    def spec(self) -> Resource:
        """The pod's spec."""
        found: Resource = self.template["spec"]
        return found

    def containers(self) -> Iterator[Resource]:
        """All of them, the sidecars too."""
        yield from self.spec.get("initContainers", [])
        yield from self.spec["containers"]

    @property
    def proxy(self) -> Resource:
        """Ours."""
        [found] = [container for container in self.containers() if container["name"] == "fastproxy"]
        return found

    def port(self, name: str) -> int:
        """The number of one of our container's ports."""
        numbers = {port["name"]: port["containerPort"] for port in self.proxy["ports"]}
        return int(numbers[name])

    def environment(self, secret: Mapping[str, str]) -> dict[str, str]:
        """Our container's variables, those that a config map or the Secret holds too."""
        maps = of_kind(self.resources, "ConfigMap")
        found: dict[str, str] = {}
        for source in self.proxy.get("envFrom", []):
            reference = source["configMapRef"]
            if reference["name"] in maps or not reference.get("optional"):
                found |= maps[reference["name"]]["data"]
        for variable in self.proxy["env"]:
            found[variable["name"]] = variable.get("value") or secret[_secret_key(variable)]
        return found

    def files(self) -> dict[str, dict[str, str]]:
        """For each folder that a config map is mounted at: its files."""
        maps = of_kind(self.resources, "ConfigMap")
        mounts = {mount["name"]: mount["mountPath"] for mount in self.proxy["volumeMounts"]}
        volumes = [volume for volume in self.spec["volumes"] if "configMap" in volume]
        return {mounts[volume["name"]]: maps[volume["configMap"]["name"]]["data"] for volume in volumes}


def _secret_key(variable: Resource) -> str:
    found: str = variable["valueFrom"]["secretKeyRef"]["key"]
    return found


def pod(overlay: str) -> Pod:
    """The pod of an overlay that runs the proxy."""
    resources = composed(overlay)
    pods = [Pod(resources, found) for found in of_kind(resources, "Deployment").values()]
    [ours] = [found for found in pods if any(box["name"] == "fastproxy" for box in found.containers())]
    return ours


def configuration(overlay: str) -> tuple[str, dict[str, str]]:
    """fastproxy.toml as the config map mounts it where the image looks for it, and all variables."""
    image = next(stage for stage in read(ROOT / "Dockerfile")[1] if stage.name == "fastproxy")
    own, ours = image.environment(), pod(overlay)
    del own["PATH"]
    return ours.files()[image.value("WORKDIR")]["fastproxy.toml"], own | ours.environment(example_secret())


def settings(overlay: str) -> Settings:
    """What the proxy of an overlay runs with."""
    text, environment = configuration(overlay)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        Path(file.name).write_text(text)
        return load(file.name, {"HOME": "/nonexistent", **environment})[0]
