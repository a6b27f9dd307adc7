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

from tasks.data.prepare import load_rows
from tasks.digest import read_json, write_json
from tasks.task import FloatArray, Rows, Task, get
from tasks.validate import calibrate, fairness, segments
from tasks.validate import contamination as seen
from tasks.validate.bootstrap import Comparison, Estimate, Score, clusters, collapsed, compare, ece
from tasks.validate.calibrate import Calibration, calibrated
from tasks.validate.gates import Evidence, ValidateSection, verdict

FULL = "full"
BASELINE = "baseline"
CLASSICAL = "classical"
CHAMPION = "champion"


@dataclass(frozen=True)
class Measured:
    """Raw numbers of one task's models, uncalibrated.

    valid, test   name of the model -> (n, head.width): "full", "baseline", and "without <part>" (test only)
    hidden        hidden states of the validation rows, from which is learned what lies out of distribution
    hidden_test   those of the test rows
    truncated     share of test rows that were longer than the model can read
    champion      what answers now, asked on the test rows
    seen          a sentence where test rows have been learned from
    """

    valid: Mapping[str, FloatArray]
    test: Mapping[str, FloatArray]
    baseline_name: str
    hidden: FloatArray | None = None
    hidden_test: FloatArray | None = None
    truncated: float = 0.0
    champion: Champion | None = None
    seen: str | None = None


@dataclass(frozen=True)
class Champion:
    """The version that answers now: its calibrated raw numbers on the test rows, or why there are none."""

    version: str
    raw: FloatArray | None
    why: str | None = None


@dataclass(frozen=True)
class Sides:
    """The rows of one task by split."""

    train: Rows
    valid: Rows
    test: Rows


def evaluate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Judge every trained task, write calibration.json and metrics.json into its model folder, return {task: row}.

    config: {"backbone": {}, "validate": {}, "threads", "seed", "tasks": {name: {"model", "train", "valid", "test"}}}
    with paths of the model folder and of the saved rows; "champion": {"version", "folder"} where one answers now.
    A row is what `retrain` prints for a task, without its version number, and more (ablation, segments, coverage).
    """
    section = ValidateSection(**config.get("validate", {}))
    seed = int(config.get("seed", 7))
    folders = {name: Path(places["model"]) for name, places in config["tasks"].items()}
    model = load(config, folders)
    judged = {}
    for name, folder in folders.items():
        places = config["tasks"][name]
        sides = Sides(*(load_rows(places[part]) for part in ("train", "valid", "test")))
        seen.write(folder, sides.train, sides.valid)
        measured = measure(model, name, folder, sides, section.ablation)
        measured = dataclasses.replace(
            measured, champion=_champion(config, name, sides.test), seen=_seen(config, name, folder, sides.test)
        )
        calibration, row = judge(get(name), sides, measured, (section, seed))
        _write(folder / "calibration.json", calibrate.to_json(calibration))
        _write(folder / "metrics.json", row)
        judged[name] = row
    return judged


def load(config: Mapping[str, Any], folders: Mapping[str, Path]) -> Any:
    """The trained model; the backbone is opened only where a task has an adapter on it."""
    from tasks.backbone import load as backbone
    from tasks.model import forward as model

    model.set_threads(int(config.get("threads", 2)))
    texts = [folder for folder in folders.values() if (folder / "adapter_config.json").is_file()]
    body = backbone.open_backbone(backbone.BackboneSection(**config.get("backbone", {}))) if texts else None
    return model.load(body, dict(folders))


def _champion(config: Mapping[str, Any], name: str, test: Rows) -> Champion | None:
    """What the champion says of the test rows; it is not asked where it has learned from one: that would flatter it."""
    told = config["tasks"][name].get("champion")
    if told is None:
        return None
    folder = Path(told["folder"])
    known = seen.overlap(folder, test)
    if known:
        return Champion(told["version"], None, f"it has learned from {known} of the {len(test)} test rows")
    try:
        model = load(config, {name: folder})
    except ValueError as error:
        return Champion(told["version"], None, f"it cannot be loaded beside this version: {error}")
    from tasks.model import forward as models

    calibration = calibrate.from_json(read_json(folder / "calibration.json"))
    return Champion(told["version"], calibrated(get(name).head, calibration, models.raw(model, name, test.inputs)))


def _seen(config: Mapping[str, Any], name: str, folder: Path, test: Rows) -> str | None:
    known = seen.overlap(folder, test)
    if known:
        return (
            f"{known} of the {len(test)} test rows are also among the rows that this version learned from: cut the "
            "splits anew"
        )
    return seen.backbone(str(config.get("backbone", {}).get("name", "")), str(config["tasks"][name].get("source", "")))


def measure(model: Any, name: str, folder: Path, sides: Sides, ablation: bool) -> Measured:
    """Run the body once on each row; the classical model alone, and the model without each part, come from that."""
    from tasks.model import forward as models

    valid, test = (models.features(model, name, part.inputs) for part in (sides.valid, sides.test))
    if valid.offset is None or test.offset is None:
        raise ValueError(f"{folder} has no classical.json, so {name} has no baseline to be judged by: train it again")
    beside = {"valid": valid.offset, "test": test.offset}
    baseline = get(name).baseline
    if baseline is not None:
        state = baseline.fit(sides.train.inputs, sides.train.target)
        beside = {side: baseline.raw(state, getattr(sides, side).inputs) for side in beside}
    on_test = {FULL: models.combine(model, name, test), BASELINE: beside["test"]}
    for part in sorted({*test.hidden, CLASSICAL}) if ablation else ():
        on_test[f"without {part}"] = models.combine(model, name, test, without=frozenset({part}))
    return Measured(
        valid={FULL: models.combine(model, name, valid), BASELINE: beside["valid"]},
        test=on_test,
        baseline_name=read_json(folder / "classical.json")["name"] if baseline is None else baseline.name,
        hidden=models.side_by_side(model, name, valid),
        hidden_test=models.side_by_side(model, name, test),
        truncated=float(np.mean(models.truncated(model, sides.test.inputs))),
    )


def judge(
    task: Task, sides: Sides, measured: Measured, how: tuple[ValidateSection, int]
) -> tuple[Calibration, dict[str, Any]]:
    """The calibration, fitted on validation rows, and the row of figures and verdict, taken on test rows. Pure."""
    (section, seed), valid, test = how, sides.valid, sides.test
    measured = _numbers(measured)
    fitted = {name: _calibration(task, raw, valid, None) for name, raw in measured.valid.items()}
    calibration = _calibration(task, measured.valid[FULL], valid, measured.hidden)
    even = {name: calibrated(task.head, fitted.get(name, calibration), raw) for name, raw in measured.test.items()}
    champion = measured.champion
    if champion is not None and champion.raw is not None:
        even[CHAMPION] = champion.raw
    scores, drawn = {name: _score(task, test, raw) for name, raw in even.items()}, clusters(test, task.metric.cluster)
    comparison = compare(scores, drawn, section.draws, seed)
    kinds = segments.judged(segments.segments(task, test, sides.train), (scores[FULL], scores[BASELINE]), drawn, seed)
    evidence = Evidence(
        metric=task.metric.name,
        value=comparison.estimates[FULL],
        baseline_name=measured.baseline_name,
        baseline=comparison.estimates[BASELINE],
        lift=comparison.lifts[BASELINE],
        ece=ece(task.head, even[FULL], test.target),
        collapsed=collapsed(task.head, even[FULL], test.target),
        clusters=comparison.clusters,
        coverage=calibrate.coverage(task.head, calibration, measured.test[FULL], test.target),
        band=calibrate.band(*(independent(task, part) for part in (valid, test))),
        segments=[(kind["segment"], kind["value"]) for kind in kinds],
        champion=(champion.version, comparison.lifts[CHAMPION]) if champion and CHAMPION in even else None,
        seen=measured.seen,
    )
    decision, reasons = verdict(section.gates, evidence)
    row = _row(evidence, comparison) | {"verdict": decision, "reasons": reasons}
    row["rows"], row["rows_valid"] = len(test), len(valid)
    row["calibration"] |= {
        "temperature": calibration.temperature,
        "coverage": evidence.coverage,
        "coverage_band": evidence.band,
        "baseline_ece": ece(task.head, even[BASELINE], test.target),
    }
    row["clusters"] = {"by": task.metric.cluster, "count": comparison.clusters, "draws": section.draws, "seed": seed}
    row["segments"] = kinds
    row["abstention"] = segments.abstention(task.head, even[FULL], scores[FULL])
    row["champion"] = _beside(champion, comparison)
    row["fairness"] = _fairness(task, test, even[FULL], seed)
    row["truncated"] = measured.truncated
    row["out_of_distribution"] = float(np.mean(calibrate.far(calibration, measured.hidden_test, len(test))))
    return calibration, plain(row)


def _numbers(measured: Measured) -> Measured:
    """Infinities count as no number, so that arithmetic goes through and the verdict says it."""

    def clean(found: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {name: np.where(np.isfinite(raw), raw, np.nan) for name, raw in found.items()}

    return dataclasses.replace(measured, valid=clean(measured.valid), test=clean(measured.test))


def independent(task: Task, rows: Rows) -> int:
    """How many outcomes count as independent of each other: the truths of labels, the clusters of numbers."""
    if task.head.kind == "regress":
        return int(clusters(rows, task.metric.cluster).max(initial=-1)) + 1
    return calibrate.truths(task.head, rows.target)


def _calibration(task: Task, raw: FloatArray, valid: Rows, hidden: FloatArray | None) -> Calibration:
    """Fitted, or the neutral one where the model gives no numbers: its version is refused, but still written out."""
    if not np.isfinite(raw).all() or (hidden is not None and not np.isfinite(hidden).all()):
        return Calibration(rows=len(raw))
    return calibrate.fit(task.head, raw, valid.target, hidden, independent(task, valid))


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


def _fairness(task: Task, test: Rows, raw: FloatArray, seed: int) -> list[dict[str, Any]]:
    """Rates by protected group, where the rows are known by them."""
    groups = task.protected(test) if task.protected is not None and task.head.kind == "score" else {}
    if not groups or not np.isfinite(raw).all():
        return []
    return fairness.table(groups, test.target[:, 0], calibrate.probability(task.head, raw)[:, 0], seed)


def _beside(champion: Champion | None, comparison: Comparison) -> dict[str, Any] | None:
    """The champion on the same draws."""
    if champion is None:
        return None
    if champion.why is not None:
        return {"version": champion.version, "why": champion.why}
    own, lift = comparison.estimates[CHAMPION], comparison.lifts[CHAMPION]
    return {"version": champion.version, **_pair("value", "ci95", own), **_pair("lift", "lift_ci95", lift)}


def _pair(value: str, interval: str, estimate: Estimate) -> dict[str, Any]:
    """An estimate under two names."""
    return {value: estimate.value, interval: estimate.ci95}


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
