"""Evidence: what replicas saw apart is judged together, and each limit says in a sentence why a version must go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serving import evidence
from serving.challenge import differ
from serving.evidence import Evidence
from serving.outcome import Outcome
from serving.section import Limits, ReleaseSection
from tasks.task import Head

SECTION = ReleaseSection()


def seen(count: int, apart: float, step: int = 5) -> Evidence:
    """A replica that compared some requests, of which a share was decided otherwise."""
    found = Evidence(Limits())
    for number in range(count):
        found.show("disagreement", float(number < apart * count))
        found.counted(step)
    return found


def test_two_replicas_see_together_what_neither_sees_alone(tmp_path: Path) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        evidence.write(file, seen(9, 0.7))
    assert all(evidence.alarm(evidence.read([file], 5), SECTION) == "" for file in files)
    together = evidence.read(files, 5)
    assert together.here == 18
    assert evidence.alarm(together, SECTION).startswith("disagreement: 0.778 on 18 requests, above 0.15")
    told = evidence.told(together, SECTION.limits)["disagreement"]
    assert (told["count"], told["bound"]) == (18, 0.15)


def test_a_step_counts_its_own_requests_and_the_evidence_of_all(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    replica = seen(9, 0.7, step=5)
    replica.counted(6)
    evidence.write(file, replica)
    assert (evidence.read([file], 6).here, evidence.read([file], 5).here) == (1, 0)
    assert evidence.read([file], 6).seen["disagreement"].count == 9


def test_a_version_that_is_slow_is_told_by_its_own_limit_and_an_equal_one_is_not() -> None:
    random = np.random.default_rng(1)
    slow, equal = Evidence(Limits()), Evidence(Limits())
    for _ in range(600):
        champion, other = random.gamma(4, 0.005, 2).tolist()
        equal.timed(champion, other)
        slow.timed(champion, 3 * other)
    assert evidence.alarm(evidence.Sum(0, slow.seen), SECTION).startswith("p99_ratio")
    assert evidence.alarm(evidence.Sum(0, equal.seen), SECTION) == ""
    assert equal.seen["p99_ratio"].count == 600 - evidence.LEAST_TIMES


def test_a_version_that_labels_prove_worse_is_told_and_an_equal_or_better_one_is_not() -> None:
    random = np.random.default_rng(1)
    worse, equal, better = (Evidence(Limits()) for _ in range(3))
    told = 0
    for _ in range(600):
        champion, chance = float(random.random() < 0.2), random.random()
        worse.labelled(champion, float(chance < 0.5))
        equal.labelled(champion, float(chance < 0.2))
        better.labelled(champion, float(chance < 0.1))
        told += not evidence.alarm(evidence.Sum(0, worse.seen), SECTION)
    assert evidence.alarm(evidence.Sum(0, worse.seen), SECTION).startswith("quality: 0.")
    assert "labels, more than the champion, above 0.05" in evidence.alarm(evidence.Sum(0, worse.seen), SECTION)
    assert told < 200, "a version that gets 30 of 100 more wrong is told within 200 labels"
    assert [evidence.alarm(evidence.Sum(0, each.seen), SECTION) for each in (equal, better)] == ["", ""]
    assert evidence.told(evidence.Sum(0, equal.seen), SECTION.limits)["quality"]["bound"] == 0.525


def outcome(probability: object, raw: list[list[float]], interval: object = None) -> Outcome:
    return Outcome({"probability": probability, "interval": interval, "answer": {"x": raw}}, raw)


@pytest.mark.parametrize(
    ("kind", "one", "other", "apart"),
    [
        ("classify", outcome({"a": 0.6, "b": 0.4}, [[0]]), outcome({"a": 0.3, "b": 0.7}, [[0]]), (1.0, 0.3)),
        ("classify", outcome({"a": 0.6, "b": 0.4}, [[0]]), outcome({"a": 0.9, "b": 0.1}, [[0]]), (0.0, 0.3)),
        ("multilabel", outcome({"a": 0.6, "b": 0.4}, [[0]]), outcome({"a": 0.7, "b": 0.6}, [[0]]), (1.0, 0.2)),
        ("score", outcome({"a": 0.2}, [[0]]), outcome({"a": 0.4}, [[0]]), (0.0, 0.2)),
        ("regress", outcome(None, [[1.0, 0]], [0.0, 2.0]), outcome(None, [[1.5, 0]], [0, 2]), (0.0, 0.25)),
        ("regress", outcome(None, [[1.0, 0]], [0.0, 2.0]), outcome(None, [[9.0, 0]], [0, 2]), (1.0, 1.0)),
        ("score", outcome([{"a": 0.2}, {"a": 0.8}], [[0]]), outcome([{"a": 0.2}], [[0]]), (1.0, 1.0)),
    ],
)
def test_how_far_two_answers_lie_apart(kind: str, one: Outcome, other: Outcome, apart: tuple[float, float]) -> None:
    head = Head(kind, ("a",) if kind in {"score", "regress"} else ("a", "b"))  # type: ignore[arg-type]
    assert differ(head, one, other) == pytest.approx(apart)
