"""How far a job is, told in lines."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.train import loop as train
from tasks.train.progress import Progress, Turn


def test_progress_is_written_as_lines_with_rate_and_time_left(make):
    config = make("numbers")
    steps = train.fit(config)["steps"]
    lines = [json.loads(line) for line in (Path(config["out"]).parent / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == lines[-1]["steps"] == steps
    assert lines[-1]["left_s"] == 0.0
    assert set(lines[0]) == {"step", "steps", "task", "loss", "rows_per_s", "tokens_per_s", "mfu", "left_s"}
    assert lines[0]["mfu"] is None


def test_progress_tells_the_frozen_part_before_the_first_step_and_the_share_of_a_card_that_is_used(make, tmp_path):
    config = make("words")
    train.fit(config)
    first = json.loads((Path(config["out"]).parent / "progress.jsonl").read_text().splitlines()[0])
    assert first == {"step": 0, "states": first["texts"], "texts": first["texts"]}
    assert 0 < first["texts"] <= 192 + 64
    progress = Progress(tmp_path / "progress.jsonl", 0)
    progress.start(1e9)
    progress.add(1, 1, "words", Turn(0.5, 4, 100))
    line = json.loads((tmp_path / "progress.jsonl").read_text())
    assert line["mfu"] == round(line["tokens_per_s"] / 1e9, 4)
