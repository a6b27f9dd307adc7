"""What a version of the anomaly task makes of the detector's scores: its classical part, which reads records alone.

The detector learns from each stream by itself; what belongs to a version is from which score on an anomaly is more
likely than not. Nets that may stand beside in the version read more than a stream keeps, and are not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import registry
from serving.places import NotServable, Places, fetch_version
from tasks.anomaly import features
from tasks.anomaly.task import TASK
from tasks.task import FloatArray, Inputs
from tasks.validate import calibration
from tasks.validate.calibration import Calibration


@dataclass(frozen=True)
class Judge:
    """One version. An alarm sounds where its calibrated log odds are 0 or more."""

    version: str
    digest: str
    state: Mapping[str, Any]
    calibration: Calibration

    def odds(self, scores: FloatArray) -> FloatArray:
        """(n,) calibrated log odds of an anomaly at scores (n,) of the detector."""
        table = np.zeros((len(scores), len(features.FEATURES)))
        table[:, features.RECORD] = scores
        raw = TASK.classical.raw(self.state, Inputs(owner=np.arange(len(scores)), table=table))
        return calibration.calibrated(TASK.head, self.calibration, raw)[:, 0]


def load(book: registry.Registry, places: Places, ref: str) -> Judge:
    """The judge of a version, without its net. Raises NotServable, and what the registry raises."""
    fetched = fetch_version(book, ref, places)
    folder = fetched.folder
    told = folder.read(folder.classical)
    if told["name"] != TASK.classical.name:
        raise NotServable(f"{ref} holds the classical part {told['name']!r}, which streams do not read; retrain")
    known = calibration.from_json(folder.read(folder.calibration))
    return Judge(fetched.version.ref, fetched.version.digest, told["state"], known)
