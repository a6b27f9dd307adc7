"""The release flow: from accepted versions to champions. A person approves, unless the recipe says otherwise."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

import registry
from flows import console, living
from infra.settings import Settings
from serving import standing

WAIT_SECONDS = 60.0


@flow(name="release", validate_parameters=False)
def release(versions: list[str], approval: str, leases: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Approve and promote versions (approval "automatic"), or ask a person to ("person"); wait until they answer.

    leases  those of the run that made the versions, as JSON: once one is another's, nothing is let in
    """
    settings = Settings()
    book = registry.open_registry(*settings.registry)
    book = registry.fenced(book, [registry.Lease(**lease) for lease in leases or []])
    step = task(decide, cache_policy=NO_CACHE, persist_result=False)
    outcome = {ref: step.with_options(name=f"approve: {ref}")(book, ref, approval) for ref in versions}
    taken_up = task(answering, name="deploy", cache_policy=NO_CACHE, persist_result=False)
    taken_up(settings, book)
    create_table_artifact(
        key="approvals",
        description="What was decided about each version",
        table=[{"version": ref, "outcome": text} for ref, text in outcome.items()],
    )
    return outcome


def decide(book: registry.Registry, ref: str, approval: str) -> str:
    """What happens to one version; gives it in words."""
    if registry.show(book, ref).status == "refused":
        text = "refused by its gates; it cannot be promoted"
    elif approval == "automatic" and not asks_persons(book, ref):
        with living.alone(book, f"release {ref.partition('@')[0]}", f"release of {ref}") as held:
            registry.approve(held, ref, by="recipe", reason='release.approval = "automatic"', automatic=True)
            registry.promote(held, ref)
        text = "approved automatically, as the recipe says, and promoted to champion"
    else:
        text = f"waits for a person: ./assay approve {ref} --as NAME --reason TEXT"
    console.say(f"release   {ref:<14} {text}")
    return text


def asks_persons(book: registry.Registry, ref: str) -> bool:
    """Whether a person must judge a version, whatever the recipe says: there are persons, or it is material."""
    return registry.people(book).founded is not None or registry.show(book, ref).facts.get("material") is True


def answering(settings: Settings, book: registry.Registry) -> dict[str, str]:
    """Wait until the service on this home, if one runs, answers with the champions; gives what it cannot load."""
    trouble, pulse = {}, registry.pulse(book)
    for name, champion in registry.champions(book).items():
        wanted = standing.Wanted(name, champion.digest, pulse)
        found = standing.wait(standing.folder(settings.root), wanted, WAIT_SECONDS)
        if found is not None and found["trouble"]:
            trouble[champion.ref] = found["trouble"]
            console.say(
                f"release   {champion.ref:<14} does not answer: {found['trouble']}; what answered before goes on"
            )
    return trouble
