"""From a trained model folder to its judgement: calibrated on validation rows, measured on test rows and its baseline.

Nothing is tuned on test rows. A refused version is written out like an accepted one; the verdict stands in its metrics.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks import calibrate
from tasks.calibrate import Calibration, calibrated
from tasks.data import load_rows
from tasks.digest import read_json, write_json
from tasks.task import FloatArray, Head, Rows, Task, get
from tasks.validate import (
    Comparison,
    Estimate,
    Evidence,
    Score,
    ValidateSection,
    clusters,
    collapsed,
    compare,
    ece,
    verdict,
)

FULL = "full"
BASELINE = "baseline"
CLASSICAL = "classical"


@dataclass(frozen=True)
class Measured:
    """Raw numbers of one task's models, uncalibrated.

    valid, test   name of the model -> (n, head.width): "full", "baseline", and "without <part>" (test only)
    hidden        hidden states of the validation rows, from which is learned what lies out of distribution
    hidden_test   those of the test rows
    truncated     share of test rows that were longer than the model can read
    """

    valid: Mapping[str, FloatArray]
    test: Mapping[str, FloatArray]
    baseline_name: str
    hidden: FloatArray | None = None
    hidden_test: FloatArray | None = None
    truncated: float = 0.0


def evaluate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Judge every trained task, write calibration.json and metrics.json into its model folder, return {task: row}.

    config: {"backbone": {}, "validate": {}, "threads", "seed", "tasks": {name: {"model", "valid", "test"}}} with
    paths of the model folder and of the saved rows.
    A row is what `retrain` prints for a task, without its version number, and more (ablation, coverage, clusters).
    """
    section = ValidateSection(**config.get("validate", {}))
    seed = int(config.get("seed", 7))
    folders = {name: Path(places["model"]) for name, places in config["tasks"].items()}
    model = _load(config, folders)
    judged = {}
    for name, folder in folders.items():
        valid, test = (load_rows(config["tasks"][name][part]) for part in ("valid", "test"))
        measured = _measure(model, name, folder, (valid, test), section.ablation)
        calibration, row = judge(get(name), valid, test, measured, (section, seed))
        _write(folder / "calibration.json", calibrate.to_json(calibration))
        _write(folder / "metrics.json", row)
        judged[name] = row
    return judged


def _load(config: Mapping[str, Any], folders: Mapping[str, Path]) -> Any:
    """The trained model; the backbone is opened only where a task has an adapter on it."""
    from tasks import backbone, model

    model.set_threads(int(config.get("threads", 2)))
    texts = [folder for folder in folders.values() if (folder / "adapter_config.json").is_file()]
    body = backbone.open_backbone(backbone.BackboneSection(**config.get("backbone", {}))) if texts else None
    return model.load(body, dict(folders))


def _measure(model: Any, name: str, folder: Path, rows: tuple[Rows, Rows], ablation: bool) -> Measured:
    """Run the body once on each row; the classical model alone, and the model without each part, come from that."""
    from tasks import model as models

    valid, test = (models.features(model, name, part.inputs) for part in rows)
    if valid.offset is None or test.offset is None:
        raise ValueError(f"{folder} has no classical.json, so {name} has no baseline to be judged by: train it again")
    on_test = {FULL: models.combine(model, name, test), BASELINE: test.offset}
    for part in sorted({*test.hidden, CLASSICAL}) if ablation else ():
        on_test[f"without {part}"] = models.combine(model, name, test, without=frozenset({part}))
    return Measured(
        valid={FULL: models.combine(model, name, valid), BASELINE: valid.offset},
        test=on_test,
        baseline_name=read_json(folder / "classical.json")["name"],
        hidden=models.side_by_side(model, name, valid),
        hidden_test=models.side_by_side(model, name, test),
        truncated=float(np.mean(models.truncated(model, rows[1].inputs))),
    )


def judge(
    task: Task, valid: Rows, test: Rows, measured: Measured, how: tuple[ValidateSection, int]
) -> tuple[Calibration, dict[str, Any]]:
    """The calibration, fitted on validation rows, and the row of figures and verdict, taken on test rows. Pure."""
    section, seed = how
    measured = _numbers(measured)
    fitted = {name: _calibration(task.head, raw, valid.target, None) for name, raw in measured.valid.items()}
    calibration = _calibration(task.head, measured.valid[FULL], valid.target, measured.hidden)
    even = {name: calibrated(task.head, fitted.get(name, calibration), raw) for name, raw in measured.test.items()}
    scores = {name: _score(task, test, raw) for name, raw in even.items()}
    comparison = compare(scores, clusters(test, task.metric.cluster), section.draws, seed)
    evidence = Evidence(
        metric=task.metric.name,
        value=comparison.estimates[FULL],
        baseline_name=measured.baseline_name,
        baseline=comparison.estimates[BASELINE],
        lift=comparison.lifts[BASELINE],
        ece=ece(task.head, even[FULL], test.target),
        collapsed=collapsed(task.head, even[FULL], test.target),
        clusters=comparison.clusters,
    )
    decision, reasons = verdict(section.gates, evidence)
    row = _row(evidence, comparison) | {"verdict": decision, "reasons": reasons}
    row["rows"], row["rows_valid"] = len(test), len(valid)
    row["calibration"] |= {
        "temperature": calibration.temperature,
        "coverage": coverage(task.head, calibration, measured.test[FULL], test.target),
        "baseline_ece": ece(task.head, even[BASELINE], test.target),
    }
    row["clusters"] = {"by": task.metric.cluster, "count": comparison.clusters, "draws": section.draws, "seed": seed}
    row["truncated"] = measured.truncated
    row["out_of_distribution"] = float(np.mean(calibrate.far(calibration, measured.hidden_test, len(test))))
    return calibration, plain(row)


def _numbers(measured: Measured) -> Measured:
    """Infinities count as no number, so that arithmetic goes through and the verdict says it."""

    def clean(found: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {name: np.where(np.isfinite(raw), raw, np.nan) for name, raw in found.items()}

    return dataclasses.replace(measured, valid=clean(measured.valid), test=clean(measured.test))


def _calibration(head: Head, raw: FloatArray, target: FloatArray, hidden: FloatArray | None) -> Calibration:
    """Fitted, or the neutral one where the model gives no numbers: its version is refused, but still written out."""
    if not np.isfinite(raw).all() or (hidden is not None and not np.isfinite(hidden).all()):
        return Calibration(rows=len(raw))
    return calibrate.fit(head, raw, target, hidden)


def _score(task: Task, rows: Rows, raw: FloatArray) -> Score:
    """The task's metric; not a number where the model gives none."""
    return task.metric.score(rows, raw) if np.isfinite(raw).all() else lambda weights: float("nan")


def _row(evidence: Evidence, comparison: Comparison) -> dict[str, Any]:
    """The figures, under the names that `retrain` promises."""
    ablation = {
        name.removeprefix("without "): {
            "value": comparison.estimates[name].value,
            "loss": lift.value,
            "loss_ci95": lift.ci95,
        }
        for name, lift in comparison.lifts.items()
        if name.startswith("without ")
    }
    return {
        "metric": evidence.metric,
        **_pair("value", "ci95", evidence.value),
        "baseline": {"name": evidence.baseline_name, **_pair("value", "ci95", evidence.baseline)},
        **_pair("lift", "lift_ci95", evidence.lift),
        "calibration": {"ece": evidence.ece},
        "ablation": ablation,
    }


def _pair(value: str, interval: str, estimate: Estimate) -> dict[str, Any]:
    """An estimate under two names."""
    return {value: estimate.value, interval: estimate.ci95}


def coverage(head: Head, calibration: Calibration, raw: FloatArray, target: FloatArray) -> float | None:
    """How often the truth lies in the 90 % set or interval, of UNcalibrated raw; `multilabel`: the true labels."""
    if head.kind == "regress":
        reach = calibrate.intervals(head, calibration, raw)
        return float(((reach[:, 0] <= target[:, 0]) & (target[:, 0] <= reach[:, 1])).mean())
    sets = calibrate.label_sets(head, calibration, raw)
    if head.kind == "multilabel":
        held = [name in found for found, truth in zip(sets, target, strict=True) for name in _true(head, truth)]
        return float(np.mean(held)) if held else None
    names = ("0", "1") if head.kind == "score" else head.outputs
    return float(np.mean([names[int(truth)] in found for found, truth in zip(sets, target[:, 0], strict=True)]))


def _true(head: Head, truth: FloatArray) -> list[str]:
    """The names of the labels that a row has."""
    return [name for name, value in zip(head.outputs, truth.tolist(), strict=True) if value > 0.5]


def plain(value: Any) -> Any:
    """The same document with lists for tuples and None for what is no finite number: JSON knows neither."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Moved into place as a whole."""
    partial = path.with_name(f".{path.name}.partial")
    write_json(partial, document)
    partial.replace(path)
