"""The RayService, held as far as it can be without a cluster: KubeRay's fields, Ray's own schema, our own variables."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings
from serving import gateway, ingress
from tests.serving.stream.conftest import champion

ROOT = Path(__file__).resolve().parents[2]
FILE = (ROOT / "infra" / "rayservice.yaml").read_text(encoding="utf-8")
SERVICE, POLICY = yaml.safe_load_all(FILE)
HEAD: dict[str, Any] = SERVICE["spec"]["rayClusterConfig"]["headGroupSpec"]
POD: dict[str, Any] = HEAD["template"]["spec"]
(RAY,) = POD["containers"]
CONFIG: dict[str, Any] = yaml.safe_load(SERVICE["spec"]["serveConfigV2"])
# KubeRay's API reference, ray.io/v1 (ray-project.github.io/kuberay/reference/api): the fields of RayServiceSpec, of
# RayClusterSpec and of HeadGroupSpec. The operator drops what it does not know, without a word.
SPEC = {
    *("serveConfigV2", "rayClusterConfig", "upgradeStrategy", "rayClusterDeletionDelaySeconds", "serveService"),
    *("serviceUnhealthySecondThreshold", "deploymentUnhealthySecondThreshold", "excludeHeadPodFromServeSvc"),
}
CLUSTER = {
    *("rayVersion", "headGroupSpec", "workerGroupSpecs", "gcsFaultToleranceOptions", "headServiceAnnotations"),
    *("enableInTreeAutoscaling", "autoscalerOptions", "suspend", "authOptions", "managedBy", "upgradeStrategy"),
}
GROUP = {"serviceType", "rayStartParams", "template", "headService", "enableIngress", "resources", "labels"}


def test_the_manifest_has_the_fields_of_a_rayservice_and_no_others() -> None:
    assert (SERVICE["apiVersion"], SERVICE["kind"]) == ("ray.io/v1", "RayService")
    spec = SERVICE["spec"]
    assert {"serveConfigV2", "rayClusterConfig"} <= spec.keys() <= SPEC
    assert spec["upgradeStrategy"]["type"] in {"NewCluster", "NewClusterWithIncrementalUpgrade", "None"}
    assert {"rayVersion", "headGroupSpec"} <= spec["rayClusterConfig"].keys() <= CLUSTER
    assert {"rayStartParams", "template"} <= HEAD.keys() <= GROUP
    assert all(isinstance(value, str) for value in HEAD["rayStartParams"].values()), "KubeRay takes text alone"
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert f"ray=={spec['rayClusterConfig']['rayVersion']}" in pins
    assert {"gcs", "dashboard", "serve"} == {port["name"] for port in RAY["ports"]}
    assert POLICY["spec"]["ingress"][1]["ports"] == [{"port": 8000, "protocol": "TCP"}]


def test_the_config_of_serve_is_one_that_ray_takes_and_names_a_function_of_ours() -> None:
    from ray.serve.schema import ServeDeploySchema

    read = ServeDeploySchema.model_validate(CONFIG)
    assert (read.proxy_location.value, read.http_options.port) == ("HeadOnly", 8000)
    for application in read.applications:
        module, _, name = application.import_path.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_application_is_built_from_the_registry_as_serve_builds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary as build

    from serving import rayservice

    champion(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    assert Settings().root == tmp_path
    (given,) = CONFIG["applications"]
    deployment = build(rayservice.endpoints, given["args"])._bound_deployment
    assert (deployment.name, deployment.num_replicas) == ("endpoints", 2)
    plan, places, _ = deployment.init_args
    assert (plan["versions"]["anomaly"]["version"], places["threads"]) == ("anomaly@1", 1)
    grown = build(rayservice.endpoints, {"autoscale": {"min_replicas": 1, "max_replicas": 3}})._bound_deployment
    config = grown._deployment_config.autoscaling_config
    assert (config.min_replicas, config.initial_replicas, config.max_replicas) == (1, 1, 3)
    with pytest.raises(ValueError, match="max_replicas 1 is below min_replicas 2"):
        build(rayservice.endpoints, {"autoscale": {"min_replicas": 2, "max_replicas": 1}})


def test_haproxy_is_told_there_what_it_is_told_by_serve_here(tmp_path: Path) -> None:
    """A setting that is added to one and not to the other is found."""
    theirs = {entry["name"]: entry.get("value") for entry in RAY["env"]}
    ours = ingress.environment(Path(theirs["ASSAY_RULES"]))
    assert ours.keys() - theirs.keys() == set()
    free = {"RAY_SERVE_HAPROXY_METRICS_PORT", "RAY_SERVE_HAPROXY_STATS_PORT", "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT"}
    elsewhere = {"ASSAY_HAPROXY", "RAY_SERVE_HAPROXY_BINARY_PATH"}
    assert {name: theirs[name] for name in ours.keys() - free - elsewhere} == {
        name: ours[name] for name in ours.keys() - free - elsewhere
    }
    assert len({theirs[name] for name in free} | {"8000", "6379", "8265"}) == 6
    assert all(ours[name].endswith(theirs[name].split("/app/")[1].rpartition("/")[2]) for name in elsewhere)


def test_the_rules_leave_serve_s_page_of_health_open_there_and_closed_here(tmp_path: Path) -> None:
    rules = POD["initContainers"][0]
    assert rules["command"][:3] == ["python", "-m", "serving.rayservice"]
    assert rules["command"][3] == next(entry["value"] for entry in RAY["env"] if entry["name"] == "ASSAY_RULES")
    command = [sys.executable, *rules["command"][1:3], str(tmp_path / "there")]
    subprocess.run(command, cwd=ROOT, check=True)
    (tmp_path / "here").mkdir()
    gateway.write(tmp_path / "here")
    there, here = ((tmp_path / place / "frontend.rules").read_text() for place in ("there", "here"))
    assert there.replace(" !{ path /-/healthz }", "") == here
    assert "path_beg /-/" in here and there != here


def test_nothing_there_runs_as_root_or_writes_to_its_image() -> None:
    assert POD["securityContext"]["runAsNonRoot"] and POD["automountServiceAccountToken"] is False
    for container in (*POD["containers"], *POD["initContainers"]):
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and rights["allowPrivilegeEscalation"] is False
        assert container["image"] == "assay:0.1.0"
    keys = {entry["valueFrom"]["secretKeyRef"]["key"] for entry in RAY["env"] if "valueFrom" in entry}
    assert keys == {"serve-url", "ray-auth-token"}
