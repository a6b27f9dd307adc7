"""`score` and `evaluate` as commands: one entry of the log, one event of the history, and a run that was killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import registry
from flows import score
from tasks.task import DataError
from tests.flows.conftest import ROOT, until  # type: ignore[import-not-found]
from tests.serving.conftest import World, some_rows, world  # type: ignore[import-not-found]  # noqa: F401

PART = 25


def texts_file(path: Path, count: int) -> Path:
    """A file of texts; every tenth row holds none."""
    texts = list(some_rows("sentiment").inputs.text or ())
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for n in range(count):
            writer.writerow([f"r{n}", "" if n % 10 == 9 else f"{texts[n % len(texts)]} {n}"])
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_file_is_answered_row_by_row_and_is_one_entry_of_the_log(
    world: World,  # noqa: F811
    ray_local: None,
    tmp_path: Path,
) -> None:
    path, out = texts_file(tmp_path / "in.csv", 60), tmp_path / "out.csv"
    told = score.run(world.settings, "sentiment@champion", str(path), str(out), PART)
    assert (told["rows"], told["answered"], told["rejected"], told["parts"], told["taken_up"]) == (60, 54, 6, 3, 0)
    answers = rows_of(out)
    assert [row["id"] for row in answers] == [f"r{n}" for n in range(60) if n % 10 != 9]
    assert [int(row["row"]) for row in answers] == [n + 2 for n in range(60) if n % 10 != 9]
    assert {row["digest"] for row in answers} == {told["digest"]}
    assert [row["row"] for row in rows_of(Path(told["rejected_out"]))] == [str(n + 2) for n in range(9, 60, 10)]
    entry = registry.decision(world.book, answers[7]["decision"])
    assert entry["id"] == told["decision"]
    assert (entry["answered"], entry["output"]) == (54, told["output_digest"])
    assert str(path) not in json.dumps(entry)
    again = score.run(world.settings, "sentiment@1", str(path), str(tmp_path / "again.csv"), PART)
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()
    assert again["decision"] != told["decision"]
    assert again["decision"].split(".")[0] == told["decision"].split(".")[0]
    assert registry.verify(world.book)["ok"]
    assert sorted(each.name for each in tmp_path.glob("*parts*")) == []


def test_a_file_without_one_good_row_is_refused_with_the_first_reasons(
    world: World,  # noqa: F811
    ray_local: None,
    tmp_path: Path,
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": ""}\n{"text": 5}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"not one of the 2 rows .* can be answered by sentiment@1 \(row 1: "):
        score.run(world.settings, "sentiment@1", str(path), str(tmp_path / "out.jsonl"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl.rejected.csv"]


@pytest.mark.parametrize(
    ("file", "out", "says"),
    [
        ("in.csv", "in.csv", "is the file that is to be read"),
        ("in.csv", "there/out.csv", "make the folder"),
        ("in.csv", "out.xlsx", "write .csv, .jsonl or .parquet"),
        ("none.csv", "out.csv", "is not there"),
        ("other.csv", "out.csv", "no column 'text'"),
    ],
)
def test_what_cannot_be_scored_is_said_before_anything_starts(
    world: World,  # noqa: F811
    tmp_path: Path,
    file: str,
    out: str,
    says: str,
) -> None:
    texts_file(tmp_path / "in.csv", 3)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        score.run(world.settings, "sentiment@1", str(tmp_path / file), str(tmp_path / out))
    assert not list(tmp_path.glob("*.parts"))


def test_a_killed_run_is_taken_up_and_gives_the_same_file_without_a_row_twice(
    world: World,  # noqa: F811
    ray_local: None,
    tmp_path: Path,
) -> None:
    path, out = texts_file(tmp_path / "in.csv", 400), tmp_path / "out.csv"
    command = [sys.executable, "-m", "flows", "score", "sentiment@1", str(path), "--out", str(out)]
    command += ["--rows-per-part", "10", "--json"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment = {**kept, "ASSAY_HOME": str(world.settings.root)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        until(120, lambda: list(tmp_path.glob("out.csv.parts/part-*.json")) or process.poll() is not None)
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    told = score.run(world.settings, "sentiment@1", str(path), str(out), 10)
    assert told["taken_up"] > 0
    whole = tmp_path / "whole.csv"
    score.run(world.settings, "sentiment@1", str(path), str(whole), 10)
    assert out.read_bytes() == whole.read_bytes()
    assert len({row["decision"] for row in rows_of(out)}) == len(rows_of(out)) == 360
