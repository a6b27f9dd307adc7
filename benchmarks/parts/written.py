"""Cases of `./assay bench reason` that learn, and those that ask what was learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from benchmarks.parts import hostile, rewarded
from benchmarks.parts.trial import DRAWS, Bench, Learned, learn
from tasks.data import program as language
from tasks.model import forward
from tasks.model.model import Model
from tasks.model.saved import open_folders
from tasks.reasoning import faithfulness, gold, right, tatqa, twins
from tasks.reasoning.classical import BASELINE
from tasks.reasoning.execute import NotAProgram, execute
from tasks.reasoning.rows import Question
from tasks.reasoning.text import from_text
from tasks.task import FloatArray, Inputs, Place, Rows
from tasks.validate.bootstrap import Comparison, clusters, compare

NAME = "reasoning"
OURS, PROGRAM = "ours", "program"
REFUSES, REFUSES_TOO_MUCH = 0.65, 0.12  # where the cells are gone, and where they are there; DECISIONS has the reason


@dataclass
class Ground:
    """Where the cases are run; the folds that were learned are kept."""

    bench: Bench
    root: Path
    folds: int
    learned: dict[tuple[str, int], Learned] = field(default_factory=dict)

    def rows(self, fold: int) -> Rows:
        """The questions with one fold as the test."""
        return tatqa.fold(Place(self.root, self.bench.seed), fold)

    def fold(self, fold: int, mark: str = "sft") -> Learned:
        """What was learned with one fold left out, learned once."""
        if (mark, fold) not in self.learned:
            self.learned[mark, fold] = learn(self.bench, NAME, self.rows(fold), f"{mark}-{fold}")
        return self.learned[mark, fold]

    def model(self, mark: str = "sft") -> Model:
        """The model of the first fold."""
        self.fold(0, mark)
        folder = self.bench.folder / NAME / f"{mark}-0" / "models" / NAME
        return open_folders({NAME: folder}, self.bench.plan.train.threads)


def executor(ground: Ground) -> list[dict[str, Any]]:
    """Gold derivations that give the gold answer, and what hostile expressions do."""
    right_ones = sum(_gives(*each) for each in tatqa.derivations(ground.root))
    tried = hostile.trial(10_000, ground.bench.seed)
    ok = right_ones >= 711 and not tried["escapes"] + tried["hangs"] + tried["not_finite"]
    return [_row("executor", right_ones, None, "derivations", ok=ok, **tried)]


def _gives(derivation: str, answer: float, factor: float) -> bool:
    try:
        return right.agrees(execute(gold.clean(derivation), {}), answer, factor)
    except NotAProgram:
        return False


def program(ground: Ground) -> list[dict[str, Any]]:
    """The classical program alone, and the ranker that the writer carries."""
    hits: dict[str, list[float]] = {"program": [], "ranker": []}
    for fold in range(5):
        rows = ground.rows(fold)
        train, test = (rows.take(np.flatnonzero(rows.split == side)) for side in ("train", "test"))
        for name, model in (("program", BASELINE), ("ranker", tasks.get(NAME).classical)):
            raw = model.raw(model.fit(train.inputs, train.target), test.inputs)
            hits[name] += right.right(test, raw).tolist()
    return [_row(name, float(np.mean(each)), 0.508, "accuracy", questions=len(each)) for name, each in hits.items()]


def sft(ground: Ground) -> list[dict[str, Any]]:
    """Ours over the classical program on the same questions, paired by document."""
    parts = [ground.fold(fold) for fold in range(ground.folds)]
    return [_beside("sft", parts)]


def grpo(ground: Ground) -> list[dict[str, Any]]:
    """The first fold after executed rewards, beside the same fold before; two seeds draw questions and samples."""
    before, found, base = ground.fold(0), [], ground.bench.folder / NAME
    folders = {seed: base / f"{mark}-0" for seed, mark in _rewarded(ground).items()}
    rewarded.learn(ground.bench, NAME, base / "sft-0", folders)
    for seed, mark in _rewarded(ground).items():
        after = ground.fold(0, mark)
        told = compared(after.rows, after.raw, before.raw)
        row = _row("grpo", told.estimates[OURS].value, told.estimates[PROGRAM].value, "accuracy", seed=seed)
        more = rewarded.told(folders[seed], NAME)
        found.append({**row, "peer_name": "sft", "lift_ci95": told.lifts[PROGRAM].ci95, **more})
    return found


def _rewarded(ground: Ground) -> dict[int, str]:
    """The two seeds, and the mark of what each learned."""
    return {seed: f"grpo-{seed}" for seed in (ground.bench.seed, ground.bench.seed + 1)}


def ungrounded(ground: Ground) -> list[dict[str, Any]]:
    """Shares of answers that cite a number which is not there, and of those that do not parse."""
    rows = ground.fold(0).rows
    found = []
    kinds = {"sft": ground.fold(0).raw, "zero-shot": zero_shot(ground, rows)}
    kinds |= {mark: ground.fold(0, mark).raw for mark in _rewarded(ground).values() if (mark, 0) in ground.learned}
    for name, raw in kinds.items():
        bad = loose = 0
        for text, line in zip(rows.inputs.text or (), raw, strict=True):
            try:
                symbols = language.symbols(language.text(line[1:]))
            except language.NoProgram:
                loose += 1
                continue
            bad += not set(language.cited(symbols)) <= set(from_text(text)[0].values)
        found.append(_row("ungrounded", bad / len(raw), None, "share", model=name, ok=bad == 0))
        found.append(_row("unparsable", loose / len(raw), None, "share", model=name, ok=loose <= 0.02 * len(raw)))
    return found


def zero_shot(ground: Ground, rows: Rows) -> FloatArray:
    """What the body writes before it has learned, without the classical part."""
    model = ground.model()
    for key, value in model.body.named_parameters():
        if "lora_B" in key:
            value.data.zero_()
    return forward.raw(model, NAME, rows.inputs, without=frozenset({"classical"}))


def refuses(ground: Ground) -> list[dict[str, Any]]:
    """How often an answer is refused where the cells are gone, and where they are there."""
    learned = ground.fold(0)
    texts = [twin.text for text, target in zip(learned.rows.inputs.text or (), learned.rows.target, strict=True)
             if (twin := _twin(text, target)) is not None]  # fmt: skip
    gone = forward.raw(ground.model(), NAME, _inputs(texts))
    shares = [float(np.mean(raw[:, 1] == language.FIXED.index(language.REFUSAL))) for raw in (gone, learned.raw)]
    ok = shares[0] >= REFUSES and shares[1] <= REFUSES_TOO_MUCH
    return [_row("refuses", shares[0], shares[1], "share", ok=ok, asked=len(texts))]


def _twin(text: str, target: FloatArray) -> Question | None:
    """The question over a table without the cells of its program; None where that is not known."""
    written = language.text(target[right.CODES :])
    return twins.without_answer(Question("", text, float(target[right.ANSWER]), 1.0, written, "")) if written else None


def flips(ground: Ground) -> list[dict[str, Any]]:
    """Faithfulness of right answers: cells deleted, numbers changed, rationales swapped."""
    learned, model = ground.fold(0), ground.model()
    good = np.flatnonzero(right.right(learned.rows, learned.raw) > 0.5)
    texts = [(learned.rows.inputs.text or ())[place] for place in good.tolist()]
    said = faithfulness.told(texts, learned.raw[good])
    told = faithfulness.figures(said, lambda each: forward.raw(model, NAME, _inputs(each)), ground.bench.seed)
    ok = told["cited"] >= 0.9 and told["others"] <= 0.2 and told["swapped"] == 1.0
    return [_row("flips", told["cited"], told["others"], "share", ok=ok, **told)]


def compared(rows: Rows, ours: FloatArray, peer: FloatArray) -> Comparison:
    """Execution accuracy of two models on the same draws of documents."""
    score = tasks.get(NAME).metric.score
    return compare({OURS: score(rows, ours), PROGRAM: score(rows, peer)}, clusters(rows, "group"), DRAWS, 0)


def _beside(case: str, parts: list[Learned]) -> dict[str, Any]:
    """All folds as one: each question asked once, of the model that has not seen its document."""
    rows = _joined([part.rows for part in parts])
    ours, peer = (np.concatenate([getattr(part, name) for part in parts]) for name in ("raw", "baseline"))
    told = compared(rows, ours, peer)
    alone = {name: float(right.right(rows, np.concatenate([part.without[name] for part in parts])).mean())
             for name in parts[0].without}  # fmt: skip
    row = _row(case, told.estimates[OURS].value, told.estimates[PROGRAM].value, "accuracy", without=alone)
    lift = told.lifts[PROGRAM]
    return {**row, "ci95": told.estimates[OURS].ci95, "lift_ci95": lift.ci95, "folds": len(parts), "rows": len(rows)}


def _joined(parts: list[Rows]) -> Rows:
    texts = tuple(text for part in parts for text in part.inputs.text or ())
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts])
              for name in ("target", "time", "known", "group", "split")}  # fmt: skip
    return Rows(ids=tuple(name for part in parts for name in part.ids), inputs=_inputs(texts), **arrays)


def _inputs(texts: Any) -> Inputs:
    return Inputs(np.arange(len(texts), dtype=np.int64), text=tuple(texts))


def _row(case: str, ours: float, peer: float | None, unit: str, **more: Any) -> dict[str, Any]:
    ratio = None if not peer else ours / peer
    told = {key if key != "ok" else "pass": value for key, value in more.items()}
    return {"case": case, "ours": ours, "peer": peer, "peer_name": PROGRAM, "ratio": ratio, "unit": unit, **told}
