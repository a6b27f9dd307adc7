"""The 48 streams of the Numenta Anomaly Benchmark, scored by its standard profile; one setting for all files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.parts.trial import Bench, beside, learn, row
from tasks.anomaly import source
from tasks.task import Place

PUBLISHED = {"windowed Gaussian": 35.0, "KNN-CAD": 55.5, "ARTime": 72.1}  # of these 48 files, each by its authors


def nab(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """Trained on anomalies that were put into the first 15 % of each file, which the benchmark does not score."""
    found = learn(bench, "anomaly", source.nab(Place(root, bench.seed)), "nab")
    told = beside("anomaly", found.rows, {"ours": found.raw, "windowed Gaussian": found.baseline}, bench.seed)
    files = told.clusters
    return [
        row("nab", "anomaly", told, "windowed Gaussian", 56.0, published=PUBLISHED, files=files)
        | {"rows": len(found.rows), "seed": bench.seed}
    ]
