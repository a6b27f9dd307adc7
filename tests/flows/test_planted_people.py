"""People who were planted in rows stand in no file of the version that was learned from them, in no report and no log."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.parts import planted_people


def test_no_file_of_a_version_and_no_report_or_log_holds_a_planted_person(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    planted_people.learn(tmp_path)
    assert planted_people.found([tmp_path / "models", tmp_path / "reports"]) == []
    written = capfd.readouterr()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "both").write_text(written.out + written.err, encoding="utf-8")
    assert planted_people.found([tmp_path / "logs"]) == []
    names = {path.name for path in (tmp_path / "models").rglob("*")}
    assert {"classical.json", "data.json", "metrics.json", "calibration.json", "recipe.json"} <= names
    assert {"report.json", "report.html"} <= {path.name for path in (tmp_path / "reports").rglob("*")}


def test_the_search_finds_a_planted_person_however_it_is_written(tmp_path: Path) -> None:
    one = planted_people.PEOPLE[0]
    (tmp_path / "leak.json").write_text(f'{{"terms": ["{one.last.lower()}", "{one.iban}"]}}', encoding="utf-8")
    assert {line.partition(": ")[2] for line in planted_people.found([tmp_path])} >= {"quartermaine", one.words[2]}
