from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

import tasks
from tasks.data import prepare as data
from tasks.data.parquet import load_rows
from tasks.data.reasons import check
from tasks.risk import features, german
from tasks.risk import task as risk
from tasks.task import Place, Rows

FOLDER = Path(risk.__file__).parent


@pytest.fixture(scope="module")
def rows() -> Rows:
    return risk.embedded(Place(root=None, seed=7))


def test_the_table_has_its_published_counts(rows: Rows) -> None:
    assert rows.inputs.table is not None
    assert rows.inputs.table.shape == (1000, len(tasks.get("risk").features))
    assert int(rows.target.sum()) == 300


def test_each_attribute_is_one_word_and_numbers_stand_unchanged(rows: Rows) -> None:
    assert rows.inputs.table is not None
    groups = [feature.group for feature in risk.FEATURES]
    for name in german.CODES:
        columns = [place for place, group in enumerate(groups) if group == name]
        assert (rows.inputs.table[:, columns].sum(axis=1) == 1).all()
    assert rows.inputs.table[0, :4].tolist() == [6, 1169, 4, 67]  # the first line of the published file


def test_sex_marital_status_and_origin_reach_no_input(tmp_path: Path, rows: Rows) -> None:
    lines = (FOLDER / "german.csv").read_text(encoding="ascii").splitlines()
    turned = []
    for line in lines:
        cells = line.split(",")
        cells[8], cells[19] = "A92" if cells[8] != "A92" else "A93", "A202" if cells[19] == "A201" else "A201"
        turned.append(",".join(cells))
    file = tmp_path / "german.csv"
    file.write_text("\n".join(turned), encoding="ascii")
    other = risk.rows(file)
    assert other.inputs.text == rows.inputs.text
    assert np.array_equal(other.inputs.table, rows.inputs.table)
    assert german.protected(file) != german.protected(FOLDER / "german.csv")


@pytest.mark.parametrize("field", ["sex", "personal_status", "foreign_worker"])
def test_a_request_that_sends_a_protected_field_is_refused(field: str) -> None:
    kind = tasks.get("risk")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind.item(**kind.example, **{field: "female"})


def test_the_words_restate_the_record_and_name_nothing_protected(rows: Rows) -> None:
    assert rows.inputs.text is not None
    assert "1169 DM over 6 months" in rows.inputs.text[0]
    for word in ("male", "female", "married", "divorced", "single", "foreign", "resident"):
        assert not any(word in text.lower() for text in rows.inputs.text)


def test_protected_columns_are_kept_aside_for_fairness_tests() -> None:
    aside = german.protected(FOLDER / "german.csv")
    assert (aside["sex"].count("female"), aside["foreign_worker"].count("no")) == (310, 37)


def test_the_auc_is_that_of_scikit_learn_with_ties_and_weights(rows: Rows) -> None:
    dice = np.random.default_rng(3)
    raw = np.round(dice.normal(size=(len(rows), 1)) + 0.7 * rows.target, 1)
    weights = dice.integers(0, 4, len(rows)).astype(np.float64)
    score = tasks.get("risk").metric.score(rows, raw)
    assert score(np.ones(len(rows))) == pytest.approx(roc_auc_score(rows.target[:, 0], raw[:, 0]))
    assert score(weights) == pytest.approx(roc_auc_score(rows.target[:, 0], raw[:, 0], sample_weight=weights))


def test_the_words_of_a_row_are_made_again_from_its_table_alone(rows: Rows) -> None:
    kind = tasks.get("risk")
    assert rows.inputs.table is not None
    assert kind.in_words is not None
    assert tuple(map(kind.in_words, rows.inputs.table)) == rows.inputs.text


def test_whatever_the_model_reads_has_a_code_and_a_sentence_and_what_is_protected_is_fixed() -> None:
    kind = tasks.get("risk")
    check(kind.reasons, kind)
    assert {feature.group for feature in kind.features} <= set(kind.reasons.codes)
    assert {"age", "dependents"} <= set(kind.reasons.fixed)


def test_every_case_is_read_and_the_baseline_moves_as_declared(rows: Rows) -> None:
    cases = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
    kind = tasks.get("risk")
    state = kind.classical.fit(rows.inputs, rows.target)

    def logit(item: dict[str, object]) -> float:
        return float(kind.classical.raw(state, kind.encode([kind.item(**item)]))[0, 0])

    for case in cases["direction"]:
        moved = logit(case["to"]) - logit(case["from"])
        assert moved >= 0 if case["moves"] == "up" else moved <= 0, case["name"]
    for case in cases["invariance"]:
        chances = [1 / (1 + np.exp(-logit(item))) for item in case["items"]]
        assert max(chances) - min(chances) <= case["within"], case["name"]
    for case in cases["minimum"]:
        assert 1 / (1 + np.exp(-logit(case["item"]))) <= case["expect"]["probability_of_default"][1], case["name"]


def test_the_baseline_is_as_good_as_is_known(rows: Rows) -> None:
    kind = tasks.get("risk")
    aucs = []
    for fold in range(5):
        test = np.arange(len(rows)) % 5 == fold
        train, held = (rows.take(np.flatnonzero(mask)) for mask in (~test, test))
        raw = kind.classical.raw(kind.classical.fit(train.inputs, train.target), held.inputs)
        aucs.append(kind.metric.score(held, raw)(np.ones(len(held))))
    assert 0.75 < np.mean(aucs) < 0.84  # one-hot logistic regression has .79, published ensembles about .80


def test_a_user_file_with_notes_is_read(tmp_path: Path) -> None:
    kind = tasks.get("risk")
    names = [*kind.example, "notes", "went_bad"]
    lines = [",".join(names)]
    for number in range(60):
        values = {**kind.example, "age": 20 + number, "notes": str(number), "went_bad": "bad" if number % 3 else "good"}
        lines.append(",".join(str(values[name]) for name in names))
    file = tmp_path / "applicants.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    section = {"source": str(file), "columns": {"target": "went_bad"}}
    card = data.prepare("risk", section, {}, 7, str(tmp_path / "out"))
    assert sum(card["rows"].values()) == 60
    held = load_rows(tmp_path / "out" / "train.parquet").inputs.text
    assert held is not None
    assert held[0].split()[-1].isdigit()


@pytest.mark.parametrize("form", ["german-branch-{:04d}", "german-{}", "german-10000{}"])
def test_rows_of_a_user_are_never_looked_up_in_the_shipped_table_whatever_their_ids_are(
    tmp_path: Path, form: str
) -> None:
    kind = tasks.get("risk")
    lines = [",".join(["id", *kind.example, "target"])]
    for number in range(60):
        values = {**kind.example, "age": 20 + number}
        lines.append(",".join([form.format(number), *map(str, values.values()), "bad" if number % 3 else "good"]))
    (tmp_path / "own.csv").write_text("\n".join(lines), encoding="utf-8")
    data.prepare("risk", {"source": str(tmp_path / "own.csv")}, {}, 7, str(tmp_path / "out"))
    for part in ("train", "valid", "test"):
        held = load_rows(tmp_path / "out" / f"{part}.parquet")
        assert held.ids[0].startswith("german-")
        assert not held.protected


def test_a_label_in_the_file_s_own_code_is_refused_rather_than_guessed() -> None:
    with pytest.raises(ValueError, match=r"'2' is neither 0 \(paid back\) nor 1 \(default\)"):
        tasks.get("risk").target("2")


def test_the_folder_of_public_sets_gives_the_same_rows(shared_data: Path, rows: Rows) -> None:
    lent = risk.german_credit(Place(root=shared_data, seed=7))
    assert lent.inputs.text == rows.inputs.text
    assert np.array_equal(lent.target, rows.target)


def test_declared_signs_cover_only_columns_of_the_table() -> None:
    for name, words in features.SIGNS.items():
        assert set(words) <= set(german.CODES[name].values())
