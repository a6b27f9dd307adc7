"""Versions: numbers without gaps, content that cannot change under a name, files that come back as they were."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import registry as reg


def test_versions_of_a_task_are_numbered_from_one_without_gaps(registry, register) -> None:
    assert [register(value=n).number for n in (1, 2, 3)] == [1, 2, 3]
    assert register(task="sentiment").ref == "sentiment@1"
    assert [v.ref for v in reg.versions(registry, "risk")] == ["risk@1", "risk@2", "risk@3"]
    assert len(reg.versions(registry)) == 4


def test_the_same_key_gives_the_same_version_again(registry, register) -> None:
    assert register(key="run-1") == register(key="run-1")
    assert len(reg.versions(registry)) == 1


def test_the_same_key_with_other_content_is_refused(register) -> None:
    register(value=1, key="run-1")
    with pytest.raises(reg.Conflict, match=r"'run-1' was used for risk@1.*a key of its own"):
        register(value=2, key="run-1")


def test_the_same_content_has_the_same_digest_and_other_content_another(register) -> None:
    first, again, other = register(value=1), register(value=1), register(value=2)
    assert first.digest == again.digest and first.number != again.number
    assert other.model_digest != first.model_digest and other.digest != first.digest


def test_a_version_is_shown_by_number_and_by_alias(registry, register, champion) -> None:
    champion(1)
    assert reg.show(registry, "risk@champion") == reg.show(registry, "risk@1")
    assert reg.show(registry, "risk@1").aliases == ("champion",)


UNKNOWN = {
    "risk@9": "there are risk@1 to risk@1 and no alias yet",
    "risk@champion": "there is no version 'risk@champion'",
    "volatility@1": "task 'volatility' has none yet: retrain first",
    "../etc@1": "write task@number or task@alias",
    "risk@01": "write task@number or task@alias",
    "risk": "write task@number or task@alias",
    "risk@1; DROP TABLE version": "write task@number or task@alias",
}


def test_a_name_that_names_nothing_is_answered_with_what_there_is(registry, register) -> None:
    register()
    for ref, words in UNKNOWN.items():
        with pytest.raises(reg.UnknownVersion, match=words):
            reg.show(registry, ref)


UNFIT = (
    ("Risk", {"verdict": "accepted"}, "k", "'Risk' is no task name"),
    ("../risk", {"verdict": "accepted"}, "k", "is no task name"),
    ("risk", {"verdict": "good"}, "k", "the gates say 'accepted' or 'refused'"),
    ("risk", {}, "k", "the gates say 'accepted' or 'refused'"),
    ("risk", {"verdict": "accepted", "value": float("nan")}, "k", "finite numbers"),
    ("risk", {"verdict": "accepted"}, "", "must have 1 to 200 characters"),
)


def test_what_cannot_be_registered_is_refused_before_anything_is_written(registry, folders, tmp_path: Path) -> None:
    for task, facts, key, words in UNFIT:
        with pytest.raises(reg.RegistryError, match=words):
            reg.register(registry, task, *folders(1), facts, key, lambda *_: ())
    assert reg.versions(registry) == [] and reg.history(registry) == []
    assert not (tmp_path / "artifacts").exists()


def test_what_is_fetched_is_what_was_registered(registry, register, tmp_path: Path) -> None:
    version = register(value=7)
    found = reg.fetch(registry, version, tmp_path / "out")
    assert (found["model"] / "head.json").read_text() == '{"value": 7}'
    assert (found["report"] / "report.json").is_file()
    assert reg.fetch(registry, "risk@1", tmp_path / "out") == found


def test_a_folder_that_holds_something_else_is_not_overwritten(registry, register, tmp_path: Path) -> None:
    reg.fetch(registry, register(value=1), tmp_path / "out")
    with pytest.raises(reg.RegistryError, match="holds something else; remove it"):
        reg.fetch(registry, register(value=2), tmp_path / "out")


def test_a_row_whose_digests_do_not_belong_together_is_not_fetched(registry, register, tmp_path: Path) -> None:
    """Another model under the approved version's number: each file is whole, the pair is not the approved one."""
    first, second = register(value=1), register(value=2)
    forged = dataclasses.replace(first, model_digest=second.model_digest)
    with pytest.raises(reg.Damaged, match=r"row of risk@1 was changed: .* run verify"):
        reg.fetch(registry, forged, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_versions_are_compared_by_facts_and_files(registry, register, folders) -> None:
    register(value=1)
    model, _ = folders(2)
    (model / "classical.json").write_text("{}")
    register(value=2)
    found = reg.diff(registry, "risk@1", "risk@2")
    assert found["facts"] == {"value": [1, 2]}
    assert found["files"] == {"classical.json": "added", "head.json": "changed"}


def test_an_older_reader_finds_what_another_connection_wrote(registry, register, database_url, artifacts_url) -> None:
    version = register()
    other = reg.open_registry(database_url, artifacts_url)
    assert reg.show(other, version.ref) == version
    reg.close(other)


def test_what_the_look_at_a_report_says_is_why_it_is_refused_and_nothing_is_kept(
    registry, folders, artifacts_url
) -> None:
    seen = []

    def look(*asked: object) -> list[str]:
        seen.append(asked)
        return ["report.json is about another model", "two", "three", "four"]

    model, report = folders(1)
    with pytest.raises(
        reg.RegistryError, match=r"'risk' is refused: report\.json is about another model; two; three; and 1"
    ):
        reg.register(registry, "risk", model, report, {"verdict": "accepted"}, "key", look)
    assert seen == [("risk", model, report)]
    assert reg.versions(registry) == []
    assert not list(Path(artifacts_url.removeprefix("file://")).rglob("*"))


def test_files_that_change_while_they_are_looked_at_are_refused(registry, folders) -> None:
    model, report = folders(1)

    def look(*_: object) -> tuple[str, ...]:
        (report / "report.json").write_text("{}", encoding="utf-8")
        return ()

    with pytest.raises(reg.RegistryError, match="changed while they were read"):
        reg.register(registry, "risk", model, report, {"verdict": "accepted"}, "key", look)


def test_verify_looks_inside_and_names_the_version_whose_report_is_not_its_own(registry, register) -> None:
    register(value=1), register(value=2)
    assert reg.verify(registry, look=lambda task, model, report: () if model.is_dir() else ["no files"])["ok"]
    document = reg.verify(registry, "risk@2", look=lambda *_: ["report.html is another page"])
    wrong = {"what": "report", "where": "risk@2 report", "expected": "the report of this model"}
    assert document["failures"] == [{**wrong, "found": "report.html is another page"}]
