from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import f1_score

import tasks
from tasks.data import grammar
from tasks.data import prepare as data
from tasks.sentiment import source
from tasks.task import Place, Rows
from tasks.validate.calibration import Calibration, predict

FOLDER = Path(source.__file__).parent


@pytest.fixture(scope="module")
def rows() -> Rows:
    return source.embedded(Place(root=None, seed=7))


def test_the_same_seed_writes_the_same_sentences_and_another_seed_writes_others(rows: Rows) -> None:
    assert source.embedded(Place(root=None, seed=7)).inputs.text == rows.inputs.text
    assert source.embedded(Place(root=None, seed=8)).inputs.text != rows.inputs.text


def test_no_sentence_stands_twice_and_all_labels_are_there(rows: Rows) -> None:
    assert rows.inputs.text is not None
    assert len(set(rows.inputs.text)) == len(rows) == 1500
    for part in ("train", "valid", "test"):
        assert set(np.unique(rows.target[rows.split == part])) == {0.0, 1.0, 2.0}


def test_train_and_test_share_no_template() -> None:
    frames = [{t.words for t in grammar.read(FOLDER / f"{part}.txt").templates} for part in ("train", "test")]
    assert not frames[0] & frames[1]


def test_groups_of_train_valid_and_test_are_disjoint(rows: Rows) -> None:
    groups = [set(rows.group[rows.split == part]) for part in ("train", "valid", "test")]
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_words_alone_stay_below_nine_tenths(seed: int) -> None:
    rows = source.embedded(Place(root=None, seed=seed))
    train, test = (rows.take(np.flatnonzero(rows.split == part)) for part in ("train", "test"))
    classical = tasks.get("sentiment").classical
    raw = classical.raw(classical.fit(train.inputs, train.target), test.inputs)
    value = tasks.get("sentiment").metric.score(test, raw)(np.ones(len(test)))
    assert 0.4 < value < 0.9


def test_the_weighted_f1_is_that_of_scikit_learn_also_with_weights(rows: Rows) -> None:
    dice = np.random.default_rng(3)
    some = rows.take(dice.permutation(len(rows))[:200])
    raw, weights = dice.normal(size=(200, 3)), dice.integers(0, 4, 200).astype(np.float64)
    score = tasks.get("sentiment").metric.score(some, raw)
    for w in (np.ones(200), weights):
        expected = f1_score(some.target[:, 0], raw.argmax(1), average="weighted", sample_weight=w)
        assert score(w) == pytest.approx(expected)


def test_the_answer_is_the_softmax_and_fits_its_type() -> None:
    kind = tasks.get("sentiment")
    answer = kind.answer(
        **kind.decode(kind.item(**kind.example), predict(kind.head, Calibration(), np.array([[0.0, 1.0, 3.0]])))
    ).model_dump()
    assert answer["label"] == "positive"
    assert answer["probabilities"]["positive"] == pytest.approx(np.exp(3) / (1 + np.exp(1) + np.exp(3)))


@pytest.mark.parametrize("text", ["", "   ", "a\x00b", "a\ud800b"])
def test_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        tasks.get("sentiment").item(text=text)


def test_a_wrong_label_is_refused_with_the_three_words() -> None:
    with pytest.raises(ValueError, match="'bullish' is none of negative, neutral, positive"):
        tasks.get("sentiment").target("bullish")


def test_every_case_holds_items_that_the_task_can_read() -> None:
    cases = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
    kind = tasks.get("sentiment")
    items = [item for case in cases["invariance"] for item in case["items"]]
    items += [case[end] for case in cases["direction"] for end in ("from", "to")]
    items += [case["item"] for case in cases["minimum"]]
    assert len(kind.encode([kind.item(**item) for item in items])) == len(items) >= 10
    outputs = {case["output"].removeprefix("probabilities.") for case in cases["direction"]}
    assert outputs <= set(kind.head.outputs)


def test_the_card_of_the_embedded_data_says_synthetic(tmp_path: Path) -> None:
    card = data.prepare("sentiment", {}, {}, 7, str(tmp_path / "data"))
    assert card["synthetic"] is True
    assert card["rows"]["test"] == 450


def test_phrasebank_tests_on_1212_rows_that_are_not_in_train(shared_data: Path) -> None:
    rows = source.phrasebank(Place(root=shared_data, seed=7))
    assert rows.inputs.text is not None
    texts = {part: [rows.inputs.text[i] for i in np.flatnonzero(rows.split == part)] for part in ("train", "test")}
    assert (len(texts["train"]), len(texts["test"])) == (3628, 1212)
    assert not set(texts["train"]) & set(texts["test"])
    assert not any("Instruction" in text or "Answer:" in text for text in texts["test"])
    assert np.bincount(rows.target[:, 0].astype(int)).tolist()[1] > 2800


def test_phrasebank_without_a_root_says_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"needs data\.root"):
        source.phrasebank(Place(root=None, seed=7))
