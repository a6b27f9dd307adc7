"""What the libraries below read from the environment: every home under ASSAY_HOME, and nothing phones out."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CLUSTER = "ASSAY_RAY_ADDRESS alone says which Ray is joined"
SERVER = "PREFECT_API_URL alone says which Prefect server is used"
RAY, PREFECT = "Ray is set by Assay", "Prefect is set by Assay"
# Variables of the libraries below that would change what our own calls mean -> what counts instead.
FOREIGN = {
    "RAY_ADDRESS": CLUSTER,
    "RAY_REDIS_ADDRESS": CLUSTER,
    "RAY_NAMESPACE": RAY,
    "RAY_RUNTIME_ENV": RAY,
    "RAY_RUNTIME_ENV_HOOK": RAY,
    "RAY_JOB_CONFIG_JSON_ENV_VAR": RAY,
    "RAY_CLIENT_MODE": RAY,
    "RAY_OVERRIDE_RESOURCES": RAY,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": RAY,
    "RAY_TRAIN_V2_ENABLED": RAY,
    "RAY_object_spilling_config": RAY,
    "PREFECT_PROFILE": SERVER,
    "PREFECT_PROFILES_PATH": SERVER,
    "PREFECT_SERVER_API_AUTH_STRING": PREFECT,
    "PREFECT_SERVER_API_BASE_PATH": PREFECT,
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": PREFECT,
    "PREFECT_API_DATABASE_CONNECTION_URL": PREFECT,
    "PREFECT_TASKS_DEFAULT_RETRIES": PREFECT,
    "PREFECT_TASK_DEFAULT_RETRIES": PREFECT,
    "PREFECT_FLOWS_DEFAULT_RETRIES": PREFECT,
    "PREFECT_FLOW_DEFAULT_RETRIES": PREFECT,
    "PREFECT_TEST_MODE": PREFECT,
    "PREFECT_TESTING_TEST_MODE": PREFECT,
    "PREFECT_UNIT_TEST_MODE": PREFECT,
    "PREFECT_TESTING_UNIT_TEST_MODE": PREFECT,
}
# These belong to a server elsewhere: without PREFECT_API_URL they would go to our own.
KEYS = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS")


def variables(settings: Settings) -> dict[str, str]:
    """The environment of every process that Assay starts. What a user has set already is left as it is."""
    home = settings.root
    return {
        "ASSAY_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the UI holds the log; the command says one sentence
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else a command started by `uv run` gets another runtime environment
        "MPLCONFIGDIR": str(home / "cache" / "matplotlib"),
        "HF_HOME": str(home / "cache" / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(home / "cache" / "inductor"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }


def apply(settings: Settings) -> None:
    """Set the variables in this process and make the home, readable by its owner alone.

    A home that cannot be made or written is no error here: reading commands do without, and a command that must write
    says so. Variables that would change our calls are taken out, in one line.
    """
    os.umask(0o077)
    ignored = foreign(os.environ)
    for key in ignored:
        del os.environ[key]
    if ignored:
        sys.stderr.write(f"assay: ignored: {'; '.join(f'{key} ({why})' for key, why in ignored.items())}\n")
    os.environ.update(past_proxies(os.environ))
    for key, value in variables(settings).items():
        os.environ[key] = os.environ.get(key) or value
    os.environ["ASSAY_HOME"] = str(settings.root)
    for folder in (settings.root, Path(os.environ["MPLCONFIGDIR"]), Path(os.environ["HF_HOME"])):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)


def foreign(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that must not reach our calls, each with what counts instead."""
    found = {key: why for key, why in FOREIGN.items() if key in environment}
    if environment.get("RAY_ADDRESS") and environment["RAY_ADDRESS"] == environment.get("ASSAY_RAY_ADDRESS"):
        del found["RAY_ADDRESS"]  # one cluster, told twice: a pod of KubeRay
    if not environment.get("PREFECT_API_URL"):
        found |= {key: "it goes with PREFECT_API_URL, which is not set" for key in KEYS if key in environment}
    return found


def past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY in both spellings, with our own loopback servers added: no proxy ever gets a token or a text."""
    named = [part.strip() for key in ("no_proxy", "NO_PROXY") for part in environment.get(key, "").split(",")]
    hosts = list(dict.fromkeys([part for part in named if part] + list(LOOPBACK)))
    text = "*" if "*" in hosts else ",".join(hosts)
    return {"NO_PROXY": text, "no_proxy": text}
