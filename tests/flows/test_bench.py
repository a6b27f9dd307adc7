"""Benchmarks: the frame knows them by file, and the one for a GPU runs as one command on a tiny body."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
