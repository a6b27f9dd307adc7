"""A version under a privacy budget, from a file to its report: what is in its folder, and what page one says."""

from __future__ import annotations

import json

from benchmarks.parts import planted_people
from tasks.model.folder import Folder


def test_a_private_version_holds_noisy_weights_alone_and_page_one_says_what_is_outside(tmp_path):
    planted_people.learn(tmp_path, {"epsilon": 4.0, "delta": 1e-3, "steps": 20})
    folder = Folder(tmp_path / "models" / "sentiment")
    for absent in (folder.classical, folder.seen, folder.tested, folder.reasons):
        assert not absent.exists(), absent.name
    assert folder.read(folder.data)["fingerprint"] is None
    told = folder.read(folder.privacy)
    assert told["epsilon"] <= 4.0
    assert told["audit"]["epsilon_at_least"] <= 4.0
    assert (told["private"], told["inside"]) == (False, ["head", "temperature"])
    calibration = folder.read(folder.calibration)
    assert (calibration["limit"], calibration["mean"], calibration["conformal"]) == (None, [], 1.0)
    assert folder.read(folder.metrics)["baseline"]["name"] == "one answer to all"
    report = next((tmp_path / "reports").rglob("report.json")).read_text(encoding="utf-8")
    page = json.dumps(json.loads(report)["sections"][:2])
    assert "Not private as a whole" in page
    assert "the cases that it explains and prints" in page
    assert planted_people.found([tmp_path / "models"]) == []
