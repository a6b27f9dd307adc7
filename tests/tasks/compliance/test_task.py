from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

import tasks
from tasks.compliance import source
from tasks.data import grammar, text
from tasks.data import prepare as data
from tasks.task import Place, Rows
from tasks.validate.calibration import Calibration, predict

FOLDER = Path(source.__file__).parent


@pytest.fixture(scope="module")
def rows() -> Rows:
    return source.embedded(Place(root=None, seed=7))


def test_embedded_clauses_are_unique_and_hold_every_label_on_both_sides(rows: Rows) -> None:
    assert rows.inputs.text is not None
    assert len(set(rows.inputs.text)) == len(rows) == 1200
    for part in ("train", "valid", "test"):
        assert (rows.target[rows.split == part].sum(axis=0) >= 4).all()
    assert 0.35 < (rows.target > 0).any(axis=1).mean() < 0.5


def test_train_valid_and_test_share_no_template_and_no_group(rows: Rows) -> None:
    frames = [{t.words for t in grammar.read(FOLDER / f"{part}.txt").templates} for part in ("train", "test")]
    assert not frames[0] & frames[1]
    groups = [set(rows.group[rows.split == part]) for part in ("train", "valid", "test")]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_an_embedded_clause_is_one_sentence(rows: Rows) -> None:
    assert rows.inputs.text is not None
    assert [clause for clause in rows.inputs.text if len(text.sentences(clause)) != 1] == []


@pytest.mark.parametrize("seed", [7, 8])
def test_words_alone_stay_below_nine_tenths(seed: int) -> None:
    rows = source.embedded(Place(root=None, seed=seed))
    train, test = (rows.take(np.flatnonzero(rows.split == part)) for part in ("train", "test"))
    kind = tasks.get("compliance")
    raw = kind.classical.raw(kind.classical.fit(train.inputs, train.target), test.inputs)
    assert raw.shape == (len(test), 10)
    best = max(kind.metric.score(test, raw - cut)(np.ones(len(test))) for cut in np.linspace(-4, 4, 33))
    assert 0.5 < best < 0.9


def test_the_metric_is_the_f1_of_unfair_or_not(rows: Rows) -> None:
    dice = np.random.default_rng(3)
    raw, weights = dice.normal(-1.5, 1, size=(len(rows), 10)), dice.integers(0, 4, len(rows)).astype(np.float64)
    raw[:, 9] = 1.0  # "clear" names no kind
    expected = f1_score(rows.target.any(axis=1), (raw[:, :9] > 0).any(axis=1), sample_weight=weights)
    assert tasks.get("compliance").metric.score(rows, raw)(weights) == pytest.approx(expected)


def test_a_finding_shows_the_sentence_with_the_highest_score() -> None:
    kind = tasks.get("compliance")
    item = kind.item(**kind.example)
    inputs = kind.encode([item, item])
    assert inputs.owner.tolist() == [0, 0, 0, 1, 1, 1]
    raw = np.full((3, 10), -3.0)
    raw[1, source.LABELS.index("termination")] = 2.0
    raw[0, 9] = 1.0  # another sentence's severity
    answer = kind.answer(**kind.decode(item, predict(kind.head, Calibration(), raw))).model_dump()
    assert answer["unfair"] is True
    (finding,) = answer["findings"]
    assert (finding["label"], finding["severity"]) == ("termination", "potential")
    assert finding["evidence"]["text"] == "Paylora may close your account at any time without notice."
    span = slice(finding["evidence"]["start"], finding["evidence"]["end"])
    assert item.text[span] == finding["evidence"]["text"]


def test_a_text_judged_as_one_piece_is_its_own_evidence() -> None:
    kind = tasks.get("compliance")
    item = kind.item(**kind.example)
    answer = kind.decode(item, predict(kind.head, Calibration(), np.full((1, 10), 1.0)))
    assert answer["findings"][0]["evidence"]["text"] == item.text
    assert {finding["severity"] for finding in answer["findings"]} == {"clear"}


def test_severity_alone_is_no_finding() -> None:
    kind = tasks.get("compliance")
    raw = np.full((1, 10), -1.0)
    raw[0, 9] = 3.0
    answer = kind.decode(kind.item(text="A plain clause."), predict(kind.head, Calibration(), raw))
    assert (answer["unfair"], answer["findings"]) == (False, [])


def test_nothing_found_is_an_empty_list() -> None:
    kind = tasks.get("compliance")
    answer = kind.decode(kind.item(text="A plain clause."), predict(kind.head, Calibration(), np.full((1, 10), -1.0)))
    assert (answer["unfair"], answer["findings"]) == (False, [])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("ltd; ter", {"limitation", "termination"}),
        (["change"], {"change"}),
        ("none", set()),
        ([], set()),
        ("law,j", {"law", "jurisdiction"}),
        ("ter clear", {"termination", "clear"}),
    ],
)
def test_labels_are_read_as_words_codes_or_lists(value: object, names: set[str]) -> None:
    held = tasks.get("compliance").target(value)
    assert {name for name, flag in zip((*source.LABELS, source.CLEAR), held, strict=True) if flag} == names


def test_a_wrong_label_is_refused() -> None:
    with pytest.raises(ValueError, match="'usury' is none of arbitration"):
        tasks.get("compliance").target("usury")
    with pytest.raises(ValueError, match="'clear' alone names no kind of unfair clause; add one of arbitration"):
        tasks.get("compliance").target("clear")


def test_sentences_keep_abbreviations_and_numbers_together() -> None:
    words = "1. Paylora Inc. may act. You pay 3.5 euros, e.g. by card. (b) We write to J. Smith."
    assert [words[a:b] for a, b in text.sentences(words)] == [
        "1. Paylora Inc. may act.",
        "You pay 3.5 euros, e.g. by card.",
        "(b) We write to J. Smith.",
    ]


def test_every_case_holds_items_that_the_task_can_read() -> None:
    cases = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
    kind = tasks.get("compliance")
    items = [item for case in cases["invariance"] for item in case["items"]]
    items += [case[end] for case in cases["direction"] for end in ("from", "to")]
    items += [case["item"] for case in cases["minimum"]]
    assert len(kind.encode([kind.item(**item) for item in items])) == len(items)
    outputs = {case["output"].removeprefix("probabilities.") for case in cases["direction"]}
    assert outputs <= set(kind.head.outputs)


def test_the_corpus_has_its_published_counts(shared_data: Path) -> None:
    rows = source.unfair_clauses(Place(root=shared_data, seed=7))
    assert len(np.unique(rows.group)) == 50
    assert len(np.unique(rows.group[rows.split == "test"])) == 10
    assert int((rows.target > 0).any(axis=1).sum()) == 1374
    counts = dict(zip((*source.LABELS, source.CLEAR), rows.target.sum(axis=0).astype(int).tolist(), strict=True))
    assert (counts["limitation"], counts["termination"], counts["arbitration"]) == (498, 285, 64)
    assert (rows.target[rows.target[:, 9] > 0, :9].sum(axis=1) > 0).all()


def test_a_user_file_of_clauses_is_read(tmp_path: Path) -> None:
    lines = [
        json.dumps({"clause": f"We may close account {n} without notice.", "kinds": ["ter"] if n % 2 else []})
        for n in range(40)
    ]
    file = tmp_path / "clauses.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    section = {"source": str(file), "columns": {"text": "clause", "target": "kinds"}}
    others = [name for name in source.OUTPUTS if name != "termination"]
    card = data.prepare("compliance", section | {"absent": others}, {}, 7, str(tmp_path / "out"))
    assert sum(card["rows"].values()) == 40
    assert card["synthetic"] is False
