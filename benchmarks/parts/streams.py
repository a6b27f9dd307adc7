"""The 48 streams of the Numenta Anomaly Benchmark, scored by its standard profile; one setting for all files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.trial import Bench, beside, learn, others, row
from tasks.anomaly import source
from tasks.task import FloatArray, Place

PUBLISHED = {"windowed Gaussian": 35.0, "KNN-CAD": 55.5, "ARTime": 72.1}  # of these 48 files, each by its authors
TREES = "half-space trees (river)"


def nab(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """Trained on anomalies that were put into the first 15 % of each file, which the benchmark does not score."""
    place = Place(root, bench.seed)
    found = learn(bench, "anomaly", source.nab(place), "nab")
    answers = {"ours": found.raw, "windowed Gaussian": found.baseline, TREES: half_space_trees(place)}
    told = beside("anomaly", found.rows, answers, bench.seed)
    return [
        row("nab", "anomaly", told, "windowed Gaussian", 56.0, published=PUBLISHED, files=told.clusters)
        | {"others": others(told, "windowed Gaussian"), "rows": len(found.rows), "seed": bench.seed}
    ]


def half_space_trees(place: Place) -> FloatArray:
    """Scores (n, 1) of river's half-space trees (Tan, Ting and Liu 2011), set up as river's documentation does.

    Each file is one stream: a value is scored, then learned from; a scaler that learns on the way brings it to 0 .. 1.
    """
    from river import anomaly, compose, preprocessing

    found = []
    for stream in source.benchmark(place):
        detector = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=place.seed))
        scores = np.zeros(len(stream.values))
        with np.errstate(invalid="ignore"):  # the first value has no range
            for at, value in enumerate(stream.values.tolist()):
                scores[at] = detector.score_one({"value": value})
                detector.learn_one({"value": value})
        found.append(scores[stream.at])
    return np.nan_to_num(np.concatenate(found))[:, None]
