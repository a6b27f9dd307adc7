"""Deploy the champions on Ray Serve, behind HAProxy on the loopback; stop it."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Mapping
from typing import Any

import registry
from infra import cluster
from infra.settings import Settings, token
from serving import gateway, ingress, standing, tracing
from serving.places import NotServable, Places, fetch_version, of_home
from serving.replica import Replica
from serving.section import DEFAULT, RELEASE, ReleaseSection, ServeSection
from serving.stream.replica import StreamReplica

log = logging.getLogger("assay.serving")

APPLICATION, STREAM = "assay", "stream"
QUIET = {"log_level": "WARNING", "enable_access_log": False}
REPLICA_CPUS, STREAM_CPUS = 0.2, 0.1  # logical: a training job must find room beside it on two cores
HANG_UP_SECONDS = 5.0


def deploy(settings: Settings, section: ServeSection = DEFAULT, trial: ReleaseSection = RELEASE) -> dict[str, str]:
    """Serve the champions and give the addresses, once all replicas can answer. `trial`: how challengers are tried.

    Ray must be connected (infra.cluster.connect). What is promoted afterwards the replicas take up by themselves.
    Raises NotServable, ingress.PortTaken, ingress.IngressMissing, tracing.TracingMissing, RegistryError.
    """
    if running():
        raise NotServable("a service runs on this Ray already, and follows what is promoted; end it to start another")
    tracing.variables()
    token(settings)
    standing.forget(standing.folder(settings.root))
    given = planned(settings, section, trial)
    settings = settings.model_copy(update={"port": _start(settings)})
    return _run(settings, section, given)


def planned(settings: Settings, section: ServeSection, trial: ReleaseSection) -> tuple[dict[str, Any], ...]:
    """What each replica of the endpoints is given: the release of the champions, the places, how challengers are tried.

    Raises NotServable, RegistryError.
    """
    places = of_home(settings, section)
    return _plan(places), dataclasses.asdict(places), trial.model_dump(mode="json")


def stop(settings: Settings) -> None:
    """End Serve with its replicas and HAProxy, after what was answered is logged. Does nothing where none runs."""
    if not running():
        return
    folder = ingress.sockets_folder(cluster.address())
    hang_up()
    ingress.drain(folder)
    _serve().shutdown()
    ingress.remove(folder)
    _fall_silent(settings)


def abandon(settings: Settings) -> None:
    """The same where Ray is gone: HAProxy and its folder go, and nothing is asked of what does not answer."""
    ingress.abandon()
    _fall_silent(settings)


def _fall_silent(settings: Settings) -> None:
    book = registry.open_registry(*settings.registry)
    try:
        registry.fall_silent(book, by="serving")
    finally:
        registry.close(book)


def addresses(settings: Settings) -> dict[str, str]:
    """Where the endpoints of these settings answer."""
    base = f"http://{ingress.HOST}:{settings.port}"
    secret = str(settings.root / "token")
    return {"endpoints": base, "docs": f"{base}/docs", "metrics": f"{base}/metrics", "token": secret}


def _plan(places: Places) -> dict[str, Any]:
    """The release as it is recorded (number, digest, time, versions), after a look that all its files are there."""
    book = registry.open_registry(*places.registry)
    try:
        registry.pin(book, places.home)
        registry.expire(book, by="serving")
        wanted = [each.ref for each in registry.champions(book).values()]
        if not wanted:
            raise NotServable("no task has a champion yet; retrain, then ./assay approve and ./assay promote a version")
        for ref in wanted:
            fetch_version(book, ref, places)
        record = registry.release(book, wanted, by="serving")
    finally:
        registry.close(book)
    return dataclasses.asdict(record)


def _serve() -> Any:
    """Ray Serve, quiet about what went well."""
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    return serve


def running() -> bool:
    """Whether Serve runs on the Ray that is connected, in whichever process it was deployed."""
    return cluster.has_actor("SERVE_CONTROLLER_ACTOR", "serve")


def _start(settings: Settings) -> int:
    """Start Serve and HAProxy; gives the port, which is a free one where the settings say 0."""
    serve = _serve()

    port = ingress.claim(settings.port)
    folder = ingress.make(ingress.sockets_folder(cluster.address()))
    try:
        serve.start(
            http_options={"host": ingress.HOST, "port": port},
            proxy_location="HeadOnly",
            controller_options={"runtime_env": {"env_vars": ingress.environment(folder)}},
            logging_config=QUIET,
        )
    except TimeoutError as error:
        stop(settings)
        raise NotServable(
            f"HAProxy did not start ({error}); give it less company on this machine, and try again"
        ) from error
    except BaseException:
        stop(settings)
        raise
    return port


def _run(settings: Settings, section: ServeSection, given: tuple[dict[str, Any], ...]) -> dict[str, str]:
    serve = _serve()
    try:
        serve.run(endpoints(section, given), name=APPLICATION, route_prefix="/")
        if gateway.STREAMED in given[0]["versions"]:
            open_stream(given[1])
    except RuntimeError as error:
        raise NotServable(f"the release did not start: {_reason(error)}") from error
    return addresses(settings)


def endpoints(section: ServeSection, given: tuple[dict[str, Any], ...]) -> Any:
    """The application that answers, as Serve takes it. Where the section says so, Serve adds replicas under load."""
    serve = _serve()
    scale = section.autoscale
    load = None if scale is None else {**scale.model_dump(), "initial_replicas": scale.min_replicas}
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name="endpoints",
        **({"num_replicas": section.replicas} if load is None else {"autoscaling_config": load}),
        max_ongoing_requests=gateway.ONGOING + gateway.FREE,  # the app itself keeps to ONGOING questions
        max_constructor_retry_count=1,  # a release that does not load is told at once
        ray_actor_options=_options(REPLICA_CPUS, ingress.replica_environment()),
        **_alike(),
    )
    return deployment.bind(*given)


def open_stream(places: Mapping[str, Any]) -> None:
    """Start the one replica that takes ticks, as an application of its own: so HAProxy finds it by its path.

    Serve must run. Raises RuntimeError where the replica does not start.
    """
    serve = _serve()
    deployment = serve.deployment(
        serve.ingress()(StreamReplica),
        name="stream",
        num_replicas=1,
        max_ongoing_requests=gateway.STREAMS + gateway.FREE,
        max_constructor_retry_count=1,
        ray_actor_options=_options(STREAM_CPUS, ingress.stream_environment()),
        **_alike(),
    )
    serve.run(deployment.bind(dict(places)), name=STREAM, route_prefix=gateway.STREAM)


def _alike() -> dict[str, Any]:
    """What both deployments have in common."""
    from ray.serve.config import BackpressureConfig

    return {
        "max_queued_requests": gateway.FREE,
        "backpressure_config": BackpressureConfig(status_code=429, retry_after_s=1),
        "logging_config": QUIET,  # what counts: that of `serve.start` is Serve's own
        "graceful_shutdown_timeout_s": 10,
    }


def _options(cpus: float, environment: Mapping[str, str]) -> dict[str, Any]:
    """Of a replica's process: beside HAProxy, for both are on that node's loopback."""
    node = {"node:__internal_head__": 0.001}
    return {"num_cpus": cpus, "resources": node, "runtime_env": {"env_vars": {**environment, **tracing.variables()}}}


def hang_up() -> None:
    """Close the stream's connections with a word, for HAProxy would wait for them. Nothing where there is none."""
    serve = _serve()

    if STREAM not in serve.status().applications:
        return
    try:
        serve.get_app_handle(STREAM).hang_up.remote().result(timeout_s=HANG_UP_SECONDS)
    except Exception as error:  # it is dead or stuck; the service ends all the same, and without a word
        log.warning("connections of the stream break off: %s", type(error).__name__)


def _reason(error: RuntimeError) -> str:
    """The sentence that the replica ended with, out of Serve's report of it."""
    serve = _serve()

    status = next((each for each in serve.status().applications.values() if each.status == "DEPLOY_FAILED"), None)
    told = [deployment.message for deployment in status.deployments.values()] if status else []
    lines = [line.strip() for text in (*told, str(error)) for line in text.splitlines()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Missing|Servable|Version|Damaged|Unreachable): ", line)]
    return named[-1].partition(": ")[2] if named else lines[0]
