"""The page "your first own model in five minutes": its commands, one after the other, on a synthetic file."""

from __future__ import annotations

import csv
import json
import os
import random
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from tests.flows.conftest import ROOT, until  # type: ignore[import-not-found]

PAGE = (ROOT / "docs" / "first_model.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in PAGE.splitlines() if line.startswith("    ./assay ")]
FIRST, SERVE = [words for words in COMMANDS if words[0] not in {"serve", "ask"}], ["serve", "loans.toml"]
ROWS = 900


class Desk:
    """A folder of a user's own, somewhere else than the checkout, with a blank in its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "my desk"
        self.folder.mkdir()
        (folder / "own tasks").mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ASSAY_", "RAY_", "PREFECT_"))}
        own = {"ASSAY_HOME": str(folder / "home"), "ASSAY_TASKS": str(folder / "own tasks")}
        self.environment = {**kept, **own, "ASSAY_PORT": "0", "ASSAY_PREFECT_PORT": "0"}

    def assay(self, *words: str) -> Any:
        command = [str(ROOT / "assay"), *words, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout)


def write_loans(path: Path) -> None:
    """Synthetic loans: a number with a unit, one with gaps, a category, a protected column, an identifier."""
    chance = random.Random(8)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter=";")
        table.writerow(["loan no", "rate", "income", "purpose", "sex", "recovered amount", "defaulted"])
        for number in range(ROWS):
            rate, purpose = chance.uniform(2, 20), chance.choice(["car", "house", "travel"])
            bad = chance.random() < 0.05 + 0.04 * rate * (purpose != "house")
            income = "" if chance.random() < 0.1 else f"{chance.randint(900, 9000)},50"
            found = chance.randint(1, 900) if bad else 0
            sex = chance.choice("fm")
            table.writerow(
                [70000 + number, f"{rate:.2f}%".replace(".", ","), income, purpose, sex, found, "yes" if bad else "no"]
            )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What each command of the page answered, by its first word; at the end the service's answer under "ask"."""
    desk = Desk(tmp_path_factory.mktemp("first"))
    write_loans(desk.folder / "loans.csv")
    found: dict[str, Any] = {words[0]: desk.assay(*words) for words in FIRST}
    desk.environment["ASSAY_PORT"] = "8731"
    process = subprocess.Popen(
        [str(ROOT / "assay"), *SERVE], cwd=desk.folder, env=desk.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        found["ask"] = until(180, lambda: _asked(desk))
    finally:
        process.terminate()
        process.wait(180)
    yield found | {"desk": desk}


def _asked(desk: Desk) -> Any:
    try:
        return desk.assay("ask", "loans")
    except AssertionError:
        return None


def test_the_page_names_every_step_from_a_file_to_an_answer() -> None:
    assert [words[0] for words in COMMANDS] == [
        "new", "data", "retrain", "report", "approve", "promote", "score", "evaluate", "serve", "ask",
    ]  # fmt: skip


def test_what_tells_the_answer_or_names_the_row_is_left_out_and_sex_is_kept_aside(told: dict[str, Any]) -> None:
    assert told["new"]["inputs"] == ["rate", "income", "purpose"]
    assert told["new"]["protected"] == ["sex"]
    assert list(told["new"]["left_out"]) == ["loan_no", "recovered_amount"]


def test_the_check_says_how_the_file_was_read(told: dict[str, Any]) -> None:
    card = told["data"]["tasks"]["loans"]["card"]
    assert (card["file"]["separator"], card["file"]["decimal"]) == (";", ",")
    assert card["file"]["rows"] == ROWS


def test_the_version_is_judged_and_its_report_has_fairness_and_missing_values_in_words(told: dict[str, Any]) -> None:
    row = told["retrain"]["tasks"]["loans"]
    assert (row["version"], row["metric"], row["verdict"]) == ("loans@1", "auc", "accepted")
    place = Path(told["report"]["report"])
    page = place.read_text(encoding="utf-8")
    assert "loans@1, registered" in page
    assert "loans@1, registered" not in (place.parent / "report" / "report.html").read_text(encoding="utf-8")
    report = json.loads((place.parent / "report" / "report.json").read_text(encoding="utf-8"))
    text = json.dumps(report)
    assert '"sex"' in text
    assert "missing" in page
    assert "Kreditbetrag" not in page
    assert " DM" not in page


def test_a_row_of_the_file_and_the_service_are_answered_by_the_same_version(told: dict[str, Any]) -> None:
    with (told["desk"].folder / "answers.csv").open(encoding="utf-8", newline="") as stream:
        answers = list(csv.DictReader(stream))
    assert len(answers) == ROWS
    assert {answer["version"] for answer in answers} == {told["ask"]["version"]} == {"loans@1"}
    assert len({answer["decision"] for answer in answers}) == ROWS


def test_the_evaluation_says_that_rows_were_seen(told: dict[str, Any]) -> None:
    assert told["evaluate"]["metric"] == "auc"
    assert told["evaluate"]["known"]["learned"] > 0


def test_the_state_is_where_it_was_asked_to_be(told: dict[str, Any]) -> None:
    home = Path(told["desk"].environment["ASSAY_HOME"])
    assert (home / "registry.db").is_file()
    assert sorted(path.name for path in told["desk"].folder.iterdir()) == ["answers.csv", "loans.csv", "loans.toml"]
    assert Settings.model_fields["tasks"].default == ""
