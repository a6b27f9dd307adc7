"""Benchmarks: the frame knows them by file, and the one for a GPU runs as one command on a tiny body."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import quality
from benchmarks.parts import page, scores
from flows import bench

ROOT = Path(__file__).resolve().parents[2]


def test_the_gpu_benchmark_is_one_command_that_prints_one_document() -> None:
    flags = ["--shape", "tiny", "--length", "16", "--batch", "2", "--steps", "3", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu_train.py", *flags],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert [row["case"] for row in document["rows"]] == [
        "tiny, peer checkpointing",
        "tiny, peer without checkpointing",
    ]
    for row in document["rows"]:
        assert row["ours"] > 0
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], rel=0.01)


def test_a_case_that_is_not_there_is_refused_with_the_names_of_those_that_are() -> None:
    assert {"train", "flow", "gpu_train"} <= set(bench.names())
    with pytest.raises(ValueError, match=r"bench.cases names speed; the cases are default, all_layers"):
        bench.run("train", ["bench.cases=speed"])
    with pytest.raises(ValueError, match=r"bench.events = 'many' is no length of a history"):
        bench.run("registry", ["bench.events=many"])


def row(case: str, ours: float, **more: object) -> dict[str, object]:
    return {"case": case, "ours": ours, "peer": None, "peer_name": None, "ratio": None, "unit": "s", **more}


def test_a_later_run_replaces_the_figures_of_its_own_cases_alone(tmp_path: Path) -> None:
    depth = {"tasks": {"mood": {"metric": "f1", "valid": 0.5}}}
    page.keep([row("all_layers", 111), row("layers_1", 333, **depth), row("layers_2", 444, **depth)], tmp_path)
    page.keep([row("all_layers", 222, **{"pass": True}), row("padding: mood", 0.01)], tmp_path)
    text = (tmp_path / "training.md").read_text(encoding="utf-8")
    assert "111" not in text
    assert "| all_layers | 222 | - | - | s | met |" in text
    assert "| padding: mood | 0.01 |" in text
    assert "| 1 | 333 | 0.500 |" in text
    assert (tmp_path / "layers.svg").stat().st_size > 1000


def test_the_pages_of_figures_are_what_their_rows_give(tmp_path: Path) -> None:
    known = (ROOT / "docs" / "training.json").read_text(encoding="utf-8")
    (tmp_path / "training.json").write_text(known, encoding="utf-8")
    page.keep([], tmp_path)
    assert (tmp_path / "training.md").read_bytes() == (ROOT / "docs" / "training.md").read_bytes()
    (tmp_path / "quality.json").write_text(
        (ROOT / "docs" / "quality.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    scores.keep([], tmp_path)
    assert (tmp_path / "quality.md").read_bytes() == (ROOT / "docs" / "quality.md").read_bytes()


def test_quality_is_not_measured_without_the_public_sets() -> None:
    with pytest.raises(ValueError, match=r"say where they lie, --set data.root=FOLDER"):
        quality.run([])
    with pytest.raises(ValueError, match=r"bench.cases names horses; the cases are phrasebank, "):
        quality.run(["bench.cases=horses,nab"])


def test_a_page_of_quality_tells_interval_baseline_bar_and_coverage(tmp_path: Path) -> None:
    shown = {
        "case": "moods",
        "metric": "f1",
        "ours": 0.81,
        "peer": 0.78,
        "peer_name": "bag of words",
        "ratio": None,
        "unit": "f1",
    }
    shown |= {"ci95": [0.79, 0.83], "lift_ci95": [0.01, 0.05], "published": {"GPT-0": 0.5}, "rows": 12, "seed": 7}
    shown |= {"bar": 0.835, "pass": False, "others": {"mean": 0.41, "coin": 0.33}}
    cover = {"case": "conformal_mood", "ours": 0.93, "ci95": [0.88, 0.94], "pass": True, "rows": 12}
    scores.keep([shown, cover], tmp_path)
    text = (tmp_path / "quality.md").read_text(encoding="utf-8")
    assert (
        "| moods | f1 | 0.810 [0.790, 0.830] | 0.780 bag of words | [0.010, 0.050] | GPT-0 0.5 | 0.835: missed | 12 | 7 |"
        in text
    )
    assert "| mood | 0.930 | [0.880, 0.940] | met | 12 |" in text
    assert "moods, other models: coin 0.33, mean 0.41" in text
    scores.keep([], tmp_path)
    assert (tmp_path / "quality.md").read_text(encoding="utf-8") == text
    assert (tmp_path / "quality.svg").stat().st_size > 1000
