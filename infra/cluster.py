"""The Ray connection: a private local Ray on loopback, or an existing cluster by address with the code shipped to it.

What runs on Ray is named by dots ("tasks.train.loop.fit") and found by name on the worker; dicts and paths go across,
never objects of ours. Ray's own transport uses cloudpickle; it is kept behind a token and, locally, behind loopback.
"""

from __future__ import annotations

import importlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import local_ray

if TYPE_CHECKING:
    from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
WORKER_CPUS = 0.5  # logical, so that a retrain finds room beside the served replicas
PASSED = ("ASSAY_", "HF_HUB_", "MPLCONFIGDIR")
EXCLUDED = [".venv", ".git", ".assay", "**/__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"]


class ClusterUnreachable(ValueError):
    """No Ray answers at the address that the settings name, or it refuses the token."""


class NotEnoughMachines(ValueError):
    """A job asks for more than the cluster has, and would wait for ever."""


def connect(settings: Settings) -> None:
    """Join the cluster at `settings.ray_address`, or start a local Ray for this process. Does nothing when connected.

    Local: every socket on 127.0.0.1, a token of its own under `home`, files in a short folder of the system's
    temporary one, gone with `disconnect`. An address: the token comes from RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH where
    set, else from `home`; the working tree is shipped unless the address is loopback. The run folders under `home`
    must then be on storage that every node sees. A signal handler of the process stays as it was, for Ray sets one.
    Raises ClusterUnreachable, NotStarted.
    """
    _environment(settings)
    import ray

    if ray.is_initialized():
        return
    with local_ray.own_signals():
        if settings.ray_address:
            _join(settings.ray_address)
        else:
            local_ray.start({**_worker_environment(), **_past_proxies(), "PYTHONPATH": str(ROOT)})


def disconnect() -> None:
    """Leave Ray. A local one ends with all its processes, and its temporary folder is removed."""
    import ray

    if not ray.is_initialized():
        return
    local_ray.stop()


def address() -> str:
    """The address under which another process of this machine joins (ASSAY_RAY_ADDRESS); connect first."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def lost(where: str) -> bool:
    """Whether nothing listens any more at the address of Ray's control service (GCS): it is gone, with all it knew."""
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # a busy machine, or a network that is cut for a while
    return False


def has_actor(name: str, namespace: str) -> bool:
    """Whether an actor of that name lives on the Ray that is connected; False where none is.

    The list of names is asked, which has a limit of time: `ray.get_actor` also fetches the actor's class, and waits
    for ever where Ray's processes are dying.
    """
    import ray

    wanted = {"name": name, "namespace": namespace}
    return ray.is_initialized() and wanted in ray.util.list_named_actors(all_namespaces=True)


def call(function: str, *args: Any, cpus: float = 1) -> dict[str, Any]:
    """Run a function, named by dots, in a Ray worker and give back the dict it returns; its own errors pass through."""
    import ray

    require_room(cpus, 0)
    with cancelled_on_interrupt(ray.remote(num_cpus=cpus, max_retries=0)(_run).remote(function, args)) as reference:
        result: dict[str, Any] = answer(reference)
    return result


def _environment(settings: Settings) -> None:
    """What Ray reads from the environment before it is imported: token under home, no usage statistics, loopback."""
    if "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(_token_file(settings.root))
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # A busy machine: Ray's own limits are 30 s, and 60 s after which its C++ code ends this process.
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "120")
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "300")
    os.environ.setdefault("RAY_SERVE_ENABLE_HA_PROXY", "1")
    os.environ.setdefault("RAY_SERVE_EXPERIMENTAL_PIP_HAPROXY", "1")
    if not settings.ray_address or _is_loopback(settings.ray_address):
        # Ray's switch for machines without a cluster: the node's address is 127.0.0.1 and every socket binds to it.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"


def _token_file(home: Path) -> Path:
    """Ray's token in `home`, made on first use and readable by its owner alone; else Ray writes one to ~/.ray."""
    path = home / "ray_token"
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_hex(32))
    return path


def _worker_environment() -> dict[str, str]:
    """The environment of every worker of this job; RAY_CHDIR off, so that a relative path means the same everywhere."""
    passed = {key: value for key, value in os.environ.items() if key.startswith(PASSED)}
    return {**passed, "RAY_CHDIR_TO_TRIAL_DIR": "0", "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5"}


def _past_proxies() -> dict[str, str]:
    """On this machine, workers too reach our loopback servers without a proxy; another node has rules of its own."""
    return {key: os.environ[key] for key in ("NO_PROXY", "no_proxy") if key in os.environ}


def _join(where: str) -> None:
    import ray

    _require_listener(where)
    environment: dict[str, Any] = {"env_vars": _worker_environment()}
    if _is_loopback(where):
        environment["env_vars"] |= {**_past_proxies(), "PYTHONPATH": str(ROOT)}
    else:
        os.environ["RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES"] = ""  # our own list stands; else a warning each time
        environment |= {"working_dir": str(ROOT), "excludes": EXCLUDED}
        if "ASSAY_TASKS" in os.environ:  # a user's own tasks travel with the code
            environment["py_modules"] = [os.environ["ASSAY_TASKS"]]
    try:
        ray.init(address=where, log_to_driver=False, logging_level="warning", runtime_env=environment)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise _unreachable(where, error) from error


def _require_listener(where: str) -> None:
    """Ask the port first: Ray itself tries for minutes."""
    host, _, port = where.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise _unreachable(where, error) from error


def _unreachable(where: str, error: Exception) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"no Ray cluster can be joined at ASSAY_RAY_ADDRESS={where!r} ({(str(error).splitlines() or [''])[0]}); "
        "start it, give it the same RAY_AUTH_TOKEN, or unset ASSAY_RAY_ADDRESS for a local Ray"
    )


def _is_loopback(where: str) -> bool:
    return where.rpartition(":")[0].strip("[]") in {"127.0.0.1", "localhost", "::1"}


def require_room(cpus: float, gpus: float) -> None:
    """Raise NotEnoughMachines where the cluster has fewer processors or GPUs: the job would wait for ever."""
    import ray

    has = ray.cluster_resources()
    for kind, wanted in (("CPU", cpus), ("GPU", gpus)):
        if wanted > has.get(kind, 0):
            raise NotEnoughMachines(
                f"the job asks for {wanted:g} {kind}s and the Ray cluster has {has.get(kind, 0):g}; "
                "lower train.workers or train.gpus_per_worker, or join a larger cluster by ASSAY_RAY_ADDRESS"
            )


def find(function: str) -> Callable[..., dict[str, Any]]:
    """A function by its dotted name."""
    module, _, name = function.rpartition(".")
    found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    return found


def _run(function: str, args: tuple[Any, ...]) -> dict[str, Any]:
    return find(function)(*args)


def answer(reference: Any) -> dict[str, Any]:
    """The result, or the error that the function itself raised, without Ray's wrapping."""
    import ray

    try:
        result: dict[str, Any] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise
    return result


@contextmanager
def cancelled_on_interrupt(reference: Any) -> Iterator[Any]:
    """Whatever ends the waiting ends the work: the worker is killed, and with it the actors it owns.

    Work that has ended by itself, with an error of its own, is left alone: to cancel it while its end is being noted
    trips a check in Ray that ends this process (ray#54785).
    """
    import ray

    try:
        yield reference
    except BaseException as error:
        ended, _ = ray.wait([reference], timeout=0)
        if not ended:
            ray.cancel(reference, force=True, recursive=True)
        raise_interrupt(error)
        raise


def raise_interrupt(error: BaseException) -> None:
    """Raise what a signal's handler raised while C code of Ray ran: it comes as the cause of a SystemError."""
    cause = error.__cause__
    if isinstance(error, SystemError) and cause is not None and not isinstance(cause, Exception):
        raise cause from None
