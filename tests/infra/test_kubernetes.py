"""The Kubernetes manifests: valid, hardened, and at one with each other and with the image."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from fastproxy import __version__
from fastproxy.server import DRAIN_GRACE_SECONDS
from testkit.process import ROOT
from tests.infra.dockerfile import read
from tests.infra.manifests import (
    FOLDER,
    OVERLAYS,
    Pod,
    Resource,
    composed,
    example_secret,
    kubectl,
    of_kind,
    pod,
    settings,
)

pytestmark = [
    pytest.mark.skipif(kubectl() is None, reason="no kubectl: kustomize is part of it"),
    pytest.mark.parametrize("overlay", OVERLAYS),
]
VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""The oldest that docs/kubernetes.md promises, and the newest that the validator knows."""
IMAGE = next(stage for stage in read(ROOT / "Dockerfile")[1] if stage.name == "fastproxy")


@pytest.fixture
def resources(overlay: str) -> list[Resource]:
    return composed(overlay)


@pytest.fixture
def ours(overlay: str) -> Pod:
    return pod(overlay)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_what_the_schema_allows(resources: list[Resource], version: str) -> None:
    secret = yaml.safe_load((FOLDER / "secret.example.yaml").read_text())
    for resource in [*resources, secret]:
        kubernetes_validate.validate(resource, version, strict=True)


def test_every_container_is_nobodys_and_may_do_nothing(resources: list[Resource]) -> None:
    for deployment in of_kind(resources, "Deployment").values():
        one = Pod(resources, deployment)
        assert one.spec["securityContext"]["runAsNonRoot"] is True
        assert one.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert one.spec["automountServiceAccountToken"] is False
        for container in one.containers():
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_the_proxy_runs_as_the_images_user_with_a_temporary_folder(ours: Pod) -> None:
    context = ours.spec["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == IMAGE.value("USER")
    [mount] = [mount["name"] for mount in ours.proxy["volumeMounts"] if mount["mountPath"] == "/tmp"]
    [volume] = [volume for volume in ours.spec["volumes"] if volume["name"] == mount]
    assert "sizeLimit" in volume["emptyDir"]


def test_the_image_is_pinned_to_this_version(ours: Pod) -> None:
    assert ours.proxy["image"].endswith(f"/fastproxy:{__version__}")
    for container in ours.containers():
        assert re.search(r":\d+\.\d+\.\d+$", container["image"])


def test_its_settings_lead_to_the_port_that_the_manifests_name(overlay: str, ours: Pod) -> None:
    port = settings(overlay).server.port
    assert ours.port("llm") == port
    assert ours.template["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ours.proxy[probe]["httpGet"]["port"] == "llm"


def test_kubernetes_waits_longer_than_the_proxy_drains(overlay: str, ours: Pod) -> None:
    drain = settings(overlay).server.drain_seconds + 3 * DRAIN_GRACE_SECONDS
    pause = ours.proxy.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert ours.spec["terminationGracePeriodSeconds"] > pause + drain


def test_a_service_of_this_name_would_not_confuse_the_settings(ours: Pod) -> None:
    assert ours.spec["enableServiceLinks"] is False


def test_every_key_of_the_secret_is_told_and_only_the_clients_one_is_needed(ours: Pod) -> None:
    references = [
        variable["valueFrom"]["secretKeyRef"]
        for container in ours.containers()
        for variable in container.get("env", [])
        if "valueFrom" in variable
    ]
    secret = yaml.safe_load((FOLDER / "secret.example.yaml").read_text())
    assert {reference["name"] for reference in references} == {secret["metadata"]["name"]}
    assert {reference["key"] for reference in references} == set(example_secret())
    assert {reference["key"] for reference in references if not reference.get("optional")} == {"api-key"}


def test_selectors_meet_their_pods(resources: list[Resource]) -> None:
    labels = [
        found["spec"]["template"]["metadata"]["labels"] for found in of_kind(resources, "Deployment").values()
    ]
    for deployment in of_kind(resources, "Deployment").values():
        own = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= own.items()
    for selector in _selectors(resources):
        assert any(selector.items() <= own.items() for own in labels), selector


def _selectors(resources: list[Resource]) -> list[dict[str, str]]:
    services = [found["spec"]["selector"] for found in of_kind(resources, "Service").values()]
    policies = [found["spec"]["podSelector"] for found in of_kind(resources, "NetworkPolicy").values()]
    budgets = [found["spec"]["selector"] for found in of_kind(resources, "PodDisruptionBudget").values()]
    return services + [selector["matchLabels"] for selector in policies + budgets]


def test_named_ports_of_services_and_policies_exist(resources: list[Resource]) -> None:
    names = {
        port["name"]
        for deployment in of_kind(resources, "Deployment").values()
        for container in Pod(resources, deployment).containers()
        for port in container.get("ports", [])
    }
    for port in _named_ports(resources):
        assert port in names


def _named_ports(resources: list[Resource]) -> list[str]:
    used: list[Any] = [
        port["targetPort"]
        for found in of_kind(resources, "Service").values()
        for port in found["spec"]["ports"]
    ]
    for found in of_kind(resources, "NetworkPolicy").values():
        for rule in found["spec"].get("ingress", []) + found["spec"].get("egress", []):
            used += [port["port"] for port in rule.get("ports", [])]
    return [port for port in used if isinstance(port, str)]


def test_a_sidecar_starts_before_the_application_and_is_where_that_looks_for_it(
    overlay: str, ours: Pod
) -> None:
    if not overlay.startswith("sidecar"):
        assert ours.proxy in ours.spec["containers"]
        return
    assert ours.proxy in ours.spec["initContainers"]
    assert ours.proxy["restartPolicy"] == "Always"
    [application] = ours.spec["containers"]
    variables = {variable["name"]: variable for variable in application["env"]}
    assert variables["OPENAI_BASE_URL"]["value"] == f"http://127.0.0.1:{ours.port('llm')}/v1"
    assert variables["OPENAI_API_KEY"]["valueFrom"]["secretKeyRef"]["key"] == "api-key"


def test_a_standalone_proxy_scales_and_keeps_one_running(overlay: str, resources: list[Resource]) -> None:
    if not overlay.startswith("standalone"):
        assert not of_kind(resources, "HorizontalPodAutoscaler")
        return
    scaler = of_kind(resources, "HorizontalPodAutoscaler")["fastproxy"]["spec"]
    deployment = of_kind(resources, "Deployment")[scaler["scaleTargetRef"]["name"]]
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in deployment["spec"]  # each apply would undo what the scaler has decided
    assert of_kind(resources, "PodDisruptionBudget")["fastproxy"]["spec"]["maxUnavailable"] == 1


def test_replicas_and_workers_share_what_they_must(overlay: str, resources: list[Resource]) -> None:
    chosen = settings(overlay)
    if overlay.startswith("standalone"):
        for storage in (chosen.limits.storage, chosen.continuity.storage):
            [name, port] = storage.removeprefix("redis://").split(":")
            assert of_kind(resources, "Service")[name]["spec"]["ports"][0]["port"] == int(port)
    assert chosen.server.workers == (2 if overlay == "standalone-workers" else 1)


def test_vertex_is_on_with_a_project_where_its_component_is_used(overlay: str, ours: Pod) -> None:
    account = of_kind(ours.resources, "ServiceAccount")[ours.spec["serviceAccountName"]]
    vertex = settings(overlay).providers["vertex"]
    if overlay.endswith("-vertex"):
        assert vertex.enabled is True
        assert getattr(vertex, "project") == "my-project"  # noqa: B009 - of its kind
        assert "iam.gke.io/gcp-service-account" in account["metadata"]["annotations"]
    else:
        assert vertex.enabled is None
