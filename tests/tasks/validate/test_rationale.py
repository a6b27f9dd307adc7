"""A rationale leaves only where it agrees: attacks by a writer, a reader, and a hand that edits or swaps it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tasks
from tasks.compliance.source import OUTPUTS
from tasks.data.rationale import Claim, Evidence, Rationale
from tasks.validate import rationale
from tasks.validate.rationale import Disagrees
from tests.tasks.decided import CLAUSES, COMPLIANCE, RISK, applicant, checked, clauses, decided, lying

CASES = {
    "risk": (RISK, applicant(0.4)),
    "two": (COMPLIANCE, clauses(CLAUSES, ("use", 1, 2.0), ("law", 0, 1.0))),
    "one": (COMPLIANCE, clauses(CLAUSES, ("use", 1, 2.0))),
    "none": (COMPLIANCE, clauses(CLAUSES, ("law", 1, -1.0))),
}
LIES = [
    ("risk", "Default is more likely than repayment, at", "Repayment is more likely than default, which stands at"),
    ("risk", "59.9 %", "59.7 %"),
    ("risk", "59.9 %", "5.9 %"),
    ("risk", "59.9", "over 99.9"),
    ("risk", "duration_months (36)", "duration_months (48)"),
    ("risk", "duration_months (36)", "age (27)"),
    ("risk", "duration_months", "age"),
    ("risk", ", duration_months (36)", ""),
    ("risk", "In this version's answer", "In the answer"),
    ("risk", "(below_1_year).", "(below_1_year). Approved by 3 of 3 reviewers."),
    ("risk", "(below_1_year).", "(below_1_year).\n"),
    ("risk", " In this version's answer these facts counted most against the applicant: ", " No fact is sure: "),
    ("risk", "Default is", "Do not act on this answer: neither default nor repayment can be ruled out. Default is"),
    ("two", "unfair: law, use.", "unfair: use."),
    ("two", "For use (at 88.1 %", "For use (at 73.1 %"),
    ("two", "For law", "For use"),
    ("one", "use", "law"),
    ("one", "unfair at 4.7 %", "unfair at 88.1 %"),
    ("one", "Paylora may", "Paylora will"),
    ("one", "24 to 70", "25 to 71"),
    ("one", "24 to 70", "٢٤ to 70"),
    ("one", '".', '"'),
    ("one", '"Paylora', '"\\u0050aylora may. 12 %", "Paylora'),
    ("none", "law", "use"),
    ("none", "law, at 26.9 %", "use, at 4.7 %"),
    ("none", "no clearance", "a clearance"),
    ("none", "No kind of unfair clause", "One kind of unfair clause"),
]


@pytest.mark.parametrize(("name", "old", "new"), LIES)
def test_a_lie_is_withheld_and_the_true_sentence_is_not(name: str, old: str, new: str) -> None:
    task, decision = CASES[name]
    true = rationale.write(task, decision).text or ""
    assert true.replace(old, new) != true
    found = rationale.write(lying(task, lambda text: text.replace(old, new)), decision)
    assert found.text is None
    assert found.disagrees
    checked(task, decision, true)
    with pytest.raises(ValueError):
        checked(task, decision, true.replace(old, new))


def test_a_writer_that_raises_or_returns_no_text_costs_no_more_than_its_sentences() -> None:
    def broken(given: Claim) -> str:
        raise RecursionError("this applicant's name is Canary")

    for write in (broken, lambda given: None, lambda given: given):
        how = dataclasses.replace(RISK.rationale, write=write)  # type: ignore[type-var]
        found = rationale.write(dataclasses.replace(RISK, rationale=how), applicant(0.4))
        assert found.text is None
        assert found.disagrees
        assert "Canary" not in str(found.fault)


def test_a_number_that_the_reader_passed_over_is_seen() -> None:
    how, decision = COMPLIANCE.rationale, clauses(CLAUSES, ("use", 1, 2.0))
    assert how is not None
    for more, fine in ((" It is sure.", True), (" It is 3 times as sure.", False), (' It is "3" times as sure.', True)):
        lax = dataclasses.replace(
            how,
            write=lambda given, more=more: how.write(given) + more,
            read=lambda text, more=more: how.read(text.removesuffix(more)),
        )
        found = rationale.write(dataclasses.replace(COMPLIANCE, rationale=lax), decision)
        assert (found.fault is None) == fine


def test_evidence_is_held_against_the_input_and_the_head_whatever_the_answer_says() -> None:
    decision = clauses(CLAUSES, ("use", 1, 2.0))
    (finding,) = decision.answer["findings"]
    other = COMPLIANCE.item(text=CLAUSES.replace("Paylora", "Paylova"))
    with pytest.raises(Disagrees, match="at its offsets"):
        checked(COMPLIANCE, dataclasses.replace(decision, item=other), "")
    first = {**finding, "evidence": {"start": 0, "end": 23, "text": CLAUSES[:23]}}
    moved = dataclasses.replace(decision, answer={**decision.answer, "findings": [first]})
    assert "decides about use" in str(rationale.write(COMPLIANCE, moved).fault)
    richer = dataclasses.replace(applicant(0.4), item=RISK.item(**{**RISK.example, "housing": "own"}))
    assert rationale.write(RISK, richer).fault == "the input has another value of housing"


def echo(speaks: str, *evidence: Evidence) -> Rationale:
    """A writer and a reader in league: what was given is what is read, whatever it is."""
    held: list[Claim] = []
    return Rationale(
        (speaks,), lambda answer: evidence, lambda claim: held.append(claim) or "It is so.", lambda text: held[-1]
    )


def test_a_reader_in_league_with_its_writer_gets_nothing_past_the_input_and_the_head() -> None:
    true = Evidence("default", "savings", "below_100")
    for evidence, fine in (
        (true, True),
        (dataclasses.replace(true, value="below_200"), False),
        (dataclasses.replace(true, output="profit"), False),
        (dataclasses.replace(true, field="__module__", value="tasks.risk.task"), False),
        (dataclasses.replace(true, span=(0, 9)), False),  # the model read it in other letters
    ):
        found = rationale.write(dataclasses.replace(RISK, rationale=echo("default", evidence)), applicant(0.4))
        assert (found.fault is None) == fine, evidence
    mood = tasks.get("sentiment")
    item = mood.item(text="Profit rose.")
    for task, decision, fine in (
        (RISK, applicant(0.4), True),
        (mood, decided(mood, item, [[0.0, 0.0, 2.0]]), False),  # of several classes one is said, not each
    ):
        speaking = dataclasses.replace(task, rationale=echo(task.head.outputs[-1]))
        assert (rationale.write(speaking, decision).fault is None) == fine


def test_rationales_swapped_between_two_decisions_are_caught() -> None:
    dice, texts = (
        np.random.default_rng(5),
        [f"We may end account {n}. You may leave with {n} euros." for n in range(30)],
    )
    raws = dice.normal(-1, 2, (30, 2, len(OUTPUTS)))
    decisions = [decided(COMPLIANCE, COMPLIANCE.item(text=text), raw) for text, raw in zip(texts, raws, strict=True)]
    loans = [applicant(logit, age=20 + n, duration_months=12 + n) for n, logit in enumerate(dice.normal(0, 2, 30))]
    swapped = 0
    for task, cases in ((COMPLIANCE, decisions), (RISK, loans)):
        said = [rationale.write(task, each).text for each in cases]
        assert None not in said
        for own, each in zip(said, cases, strict=True):
            for text in set(said) - {own}:
                swapped += 1
                with pytest.raises(Disagrees):
                    checked(task, each, str(text))
    assert swapped > 1700
