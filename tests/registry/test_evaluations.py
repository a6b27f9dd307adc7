"""Evaluations in the history: of a version that is there, by its digest; and the record of an answer in a file."""

from __future__ import annotations

import pytest

import registry as reg
from registry.database import writing
from registry.events import append

SAID = {"metric": "auc", "value": 0.7, "rows": 10, "file": "f" * 64, "by": "A. Tester"}


def test_an_evaluation_is_an_event_of_its_version_and_verify_holds(registry, register) -> None:
    version = register()
    event = reg.log_evaluation(registry, version.ref, SAID)
    assert reg.history(registry, version.ref)[-1] == event
    assert (event.kind, event.payload) == ("evaluation", {"digest": version.digest, **SAID})
    assert reg.verify(registry)["ok"]


def test_an_evaluation_that_lacks_a_fact_or_a_version_is_refused(registry, register) -> None:
    version = register()
    with pytest.raises(reg.RegistryError, match="an evaluation lacks file, by; each holds"):
        reg.log_evaluation(registry, version.ref, {name: SAID[name] for name in ("metric", "value", "rows")})
    with pytest.raises(reg.UnknownVersion):
        reg.log_evaluation(registry, "risk@7", SAID)


def test_an_evaluation_of_other_bytes_than_the_versions_is_found_by_verify(registry, register) -> None:
    version = register()
    with writing(registry) as session:
        append(session, "evaluation", version.ref, {**SAID, "digest": "0" * 64})
    failures = reg.verify(registry)["failures"]
    assert [(each["what"], each["expected"]) for each in failures] == [("evaluation", version.digest)]


def test_an_answer_in_a_file_has_the_record_of_the_newest_run_of_its_batch(registry, champion) -> None:
    version = champion(1)
    entry = {"task": version.task, "version": version.ref, "digest": version.digest, "raw": None, "flags": {}}
    for run in ("aaaa", "bbbb"):
        reg.log_decisions(registry, [{**entry, "id": f"f00d.{run}"}])
    assert reg.decision(registry, "f00d.17")["id"] == "f00d.bbbb"
    for unknown in ("f00.17", "f00d.x", "f00d.", ".17", "%.17"):
        with pytest.raises(reg.UnknownVersion):
            reg.decision(registry, unknown)
