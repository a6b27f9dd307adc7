"""What a clause speaks of, in clauses of our own."""

from __future__ import annotations

import pytest

from tasks.compliance.concepts import concepts, marks


@pytest.mark.parametrize(
    ("text", "held", "not_held"),
    [
        ("Paylora may terminate your account at any time.", {"may+end", "account", "anytime"}, {"liable", "you_may"}),
        ("We shall not be liable for any loss.", {"we", "liable+not", "not+damage"}, {"end", "law"}),
        ("The law of Malta governs, and its courts decide.", {"law", "court"}, {"arbitrate"}),
        ("Use of the app, in whole or in part, means that you agree.", {"use", "agree"}, {"privacy"}),
        ("You may leave with 30 days' notice.", {"you_may", "notice"}, {"unnoticed", "we_may"}),
        ("The fees may change without any prior warning.", {"unnoticed", "change", "price"}, {"notice"}),
        ("The mayor visits the harbour.", set(), {"may", "terms"}),
    ],
)
def test_concepts_are_found_in_any_wording_and_paired(text: str, held: set[str], not_held: set[str]) -> None:
    found = set(marks(text))
    assert held <= found
    assert not found & not_held


def test_a_clause_without_any_concept_has_no_marks() -> None:
    assert marks("") == []
    assert marks("Lunch is at noon.") == []


def test_every_concept_can_be_written_in_a_pair() -> None:
    assert len(concepts()) > 20
    assert [name for name in concepts() if "+" in name or " " in name] == []
