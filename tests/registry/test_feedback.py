"""What became known of decisions: said once, replaced by what is said later, and never edited."""

from __future__ import annotations

import dataclasses

import pytest

import registry as reg
from registry.feedback import CONFIRMED, DISMISSED, LABEL

FLAGS = ("abstained", "borderline", "out_of_distribution")


def said(decision: str, identity: str) -> reg.Said:
    return reg.Said(decision, "risk", "bank", "a1b2c3d4", identity, "2026-11", f"sealed {identity}")


def stated(decision: str, identity: str, **more: object) -> reg.Stated:
    return dataclasses.replace(reg.Stated(said(decision, identity), "risk@1", LABEL), **more)


@pytest.fixture
def decided(registry, champion) -> reg.Registry:
    """Decisions of two tenants, one with each flag and two without, the plain ones first."""
    version = champion(1)
    row = {"task": "risk", "version": version.ref, "digest": version.digest, "tenant": "bank"}
    rows = [{**row, "id": "plain-1", "flags": {}}, {**row, "id": "plain-2", "flags": {"truncated": True}}]
    rows += [{**row, "id": flag, "flags": {flag: True}, "key": "2026-09"} for flag in FLAGS[::-1]]
    rows += [{**row, "id": "theirs", "tenant": "broker", "flags": {"abstained": True}}, {**row, "id": "newest"}]
    for each in rows:
        reg.log_decisions(registry, [each])
    return registry


def test_the_queue_has_the_doubtful_first_the_newest_among_equals_and_nobody_elses(decided) -> None:
    found = [row["id"] for row in reg.review_queue(decided, "bank", 50)]
    assert found == [*FLAGS, "newest", "plain-2", "plain-1"]
    assert [row["id"] for row in reg.review_queue(decided, "bank", 2)] == list(FLAGS[:2])
    reg.log_feedback(decided, stated("abstained", "a"))
    reg.log_review(decided, said("borderline", "b"), DISMISSED)
    assert [row["id"] for row in reg.review_queue(decided, "bank", 2)] == ["out_of_distribution", "newest"]
    assert [row["id"] for row in reg.review_queue(decided, "broker", 9)] == ["theirs"]
    reg.log_erasure(decided, "bank", ["2026-09"], "2026-10-01")
    assert [row["id"] for row in reg.review_queue(decided, "bank", 9)] == ["newest", "plain-2", "plain-1"]


def test_the_same_said_again_is_one_row_and_something_else_says_what_it_replaces(decided) -> None:
    first = reg.log_feedback(decided, stated("newest", "good", request="r1"))
    assert reg.log_feedback(decided, stated("newest", "good")) == dataclasses.replace(first, again=True, first=False)
    second = reg.log_feedback(decided, stated("newest", "bad", loss=1.0))
    assert (first.first, second.first, second.replaces, second.again) == (True, False, first.seq, False)
    late = reg.log_feedback(decided, stated("newest", "good", request="r1"))
    assert late.seq == first.seq, "a request that comes late again brings its old label back to nobody"
    third = reg.log_feedback(decided, stated("newest", "good"))
    assert third.replaces == second.seq, "who says the first again after the second has changed his mind"
    with pytest.raises(reg.Conflict):
        reg.log_feedback(decided, stated("newest", "other", request="r1"))
    assert reg.verify(decided)["ok"]


def test_what_is_still_to_come_is_not_known(decided) -> None:
    with pytest.raises(reg.NotAllowed, match="still to come: the registry's clock says 2"):
        reg.log_feedback(decided, stated("newest", "a", known="2199-01-01T00:00:00.000000Z"))
    assert reg.log_feedback(decided, stated("newest", "a", known="2026-01-01T00:00:00.000000Z")).known[:4] == "2026"


def test_the_next_snapshot_gets_the_newest_label_of_each_decision_and_none_that_was_dismissed_since(decided) -> None:
    reg.log_feedback(decided, stated("newest", "good"))
    reg.log_feedback(decided, stated("newest", "bad"))
    reg.log_review(decided, said("plain-1", "c"), CONFIRMED, stated("plain-1", "c"))
    reg.log_review(decided, said("plain-2", "d"), CONFIRMED, stated("plain-2", "d"))
    reg.log_review(decided, said("plain-2", "e"), DISMISSED)
    reg.log_review(decided, said("abstained", "f"), DISMISSED)
    reg.log_feedback(decided, stated("abstained", "g"))
    theirs = dataclasses.replace(said("theirs", "h"), tenant="broker")
    reg.log_feedback(decided, dataclasses.replace(stated("theirs", "h"), said=theirs))
    found = {row["id"]: label.said.identity for row, label in reg.labelled(decided, "risk", ["bank"])}
    assert found == {"newest": "bad", "plain-1": "c", "abstained": "g"}
    assert {row["id"] for row, _ in reg.labelled(decided, "risk", ["broker"])} == {"theirs"}
    assert list(reg.labelled(decided, "sentiment", ["bank"])) == list(reg.labelled(decided, "risk", [])) == []
    again = reg.log_review(decided, said("abstained", "f"), DISMISSED)
    assert again.again and reg.verify(decided)["ok"]
