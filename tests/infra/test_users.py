"""Who each service is in the database: nobody connects as its superuser, and each may what it must."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from registry import roles

INFRA = Path(__file__).resolve().parents[2] / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))
KUBERAY: list[dict[str, Any]] = list(yaml.safe_load_all((INFRA / "kuberay.yaml").read_text(encoding="utf-8")))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("assay:")]


def test_each_service_is_the_role_that_it_needs_and_nothing_connects_as_the_superuser() -> None:
    def user(name: str) -> str:
        return str(SERVICES[name]["environment"]["ASSAY_DATABASE_URL"]).split("//")[1].partition(":")[0]

    asking = [name for name in OURS if "ASSAY_DATABASE_URL" in SERVICES[name].get("environment", {})]
    users = {name: user(name) for name in asking}
    assert users.pop("migrate") == roles.OWNER and users.pop("endpoints") == roles.SERVE
    assert set(users.values()) == {roles.APP} and len(users) >= 4
    addresses = [v for s in SERVICES.values() for v in s.get("environment", {}).values() if v.startswith("postgresql")]
    passwords = {address.partition("@")[0].rpartition(":")[0].split("//")[1] for address in addresses}
    assert SERVICES["postgres"]["environment"]["POSTGRES_USER"] not in {each.split(":")[0] for each in passwords}
    made = COMPOSE["configs"]["databases"]["content"]
    assert set(re.findall(r"CREATE ROLE (\w+) LOGIN", made)) == {roles.OWNER, roles.APP, roles.SERVE, "prefect"}
    assert f"CREATE DATABASE assay OWNER {roles.OWNER};" in made
    for role, variable in re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '\$\{(\w+):", made):
        told = {address.split("${")[1].partition(":")[0] for address in addresses if f"//{role}:" in address}
        assert told == {variable}, role
    groups = [group for each in KUBERAY if each["kind"] == "RayCluster" for group in _groups(each["spec"])]
    groups += [each["spec"] for each in KUBERAY if each["kind"] == "Job"]
    containers = [container for group in groups for container in group["template"]["spec"]["containers"]]
    keys = {
        container["name"]: entry["valueFrom"]["secretKeyRef"]["key"]
        for container in containers
        for entry in container["env"]
        if entry["name"] == "ASSAY_DATABASE_URL"
    }
    assert (keys.pop("migrate"), keys.pop("endpoints")) == ("owner-url", "serve-url")
    assert set(keys.values()) == {"database-url"}


def _groups(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
