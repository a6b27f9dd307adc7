"""What a file seems to hold is guessed column by column, with a reason; what tells the answer by itself is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.data.files import open_file
from tasks.data.guess import Column, Guess, field_name, guess
from tasks.data.survey import Survey, Wish, survey
from tasks.task import DataError

RANDOM = np.random.default_rng(11)
N = 400
TRUTH = (RANDOM.uniform(size=N) < 0.3).astype(float)


def of(values: list[object], name: str = "column") -> Guess:
    return guess(Column(name, values, TRUTH[: len(values)]), field_name(name, ()))


def noise(low: int, high: int) -> list[str]:
    return [str(value) for value in RANDOM.integers(low, high, N)]


@pytest.mark.parametrize(
    ("values", "kind", "facts"),
    [
        (noise(10, 90), "whole", {"range": (0.0, 1000.0), "unit": "", "missing": None}),
        ([f"{value}.5%" for value in noise(1, 30)], "number", {"unit": "%"}),
        ([f" {value} months" for value in noise(12, 60)], "whole", {"unit": "months"}),
        ([f"${value}.25" for value in noise(12, 60)], "number", {"unit": "$"}),
        (["", "NA", "-5.5", *noise(1, 9)[3:]], "number", {"missing": ("", "NA"), "range": (-100.0, 100.0)}),
        (["yes" if value else "no" for value in RANDOM.uniform(size=N) < 0.5], "flag", {}),
        (["0" if value else "1" for value in RANDOM.uniform(size=N) < 0.5], "flag", {}),
        (["none", "a", "", "b"] * 100, "category", {"words": ("a", "b", "none"), "missing": ("",)}),
        ([f"2024-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in range(N)], "date", {}),
        ([f"The customer wrote letter number {n} to us." for n in range(N)], "text", {"missing": None}),
    ],
)
def test_a_column_is_guessed_by_what_it_holds(values: list[object], kind: str, facts: dict[str, object]) -> None:
    found = of(values)
    assert (found.field.type, found.field.use) == (kind, "input")
    assert {key: getattr(found.field, key) for key in facts} == facts


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("one", ["x"] * N, "left out: holds nothing but 'x'"),
        ("empty", [""] * N, "left out: holds nothing"),
        (
            "customer",
            [str(70000 + n) for n in range(N)],
            "left out: every row has another number, as an identifier has",
        ),
        ("iban", [f"XX{n:06d}" for n in range(N)], "left out: 400 different values in 400 rows say who it is"),
        ("amount", [f"{n},{n:03d}.50" for n in range(100, 500)], "left out: numbers with marks between the thousands"),
        ("score_b", (TRUTH + RANDOM.normal(0, 0.2, N)).tolist(), "left out: alone it tells the answer (AUC "),
        (
            "CallDuration",
            (TRUTH + RANDOM.normal(0, 0.7, N)).tolist(),
            "left out: its name and its weight (AUC 0.8",
        ),
    ],
)
def test_what_names_a_row_or_tells_its_answer_is_left_out_with_the_reason(
    name: str, values: list[object], why: str
) -> None:
    found = of(values, name)
    assert found.field.use == "ignore"
    assert found.why[-1].startswith(why)


def test_a_category_that_tells_the_answer_is_left_out_and_one_of_many_words_is_not_mistaken_for_it() -> None:
    told = of(["late" if bad else "paid" for bad in TRUTH], "state")
    assert told.field.use == "ignore"
    many = of([f"shop {n}" for n in RANDOM.integers(0, 50, N)], "shop")
    assert many.field.use == "input"


def test_a_protected_ground_is_kept_aside_and_an_age_is_named() -> None:
    assert of(["f" if value else "m" for value in RANDOM.uniform(size=N) < 0.5], "Sex").field.use == "protected"
    age = of(noise(18, 90), "age")
    assert age.field.use == "input"
    assert "a protected ground by its name" in age.why[-1]
    assert of(noise(18, 90), "mortgage").why == ("range: 18 to 89 was seen",)


def test_a_name_becomes_one_that_a_request_may_use() -> None:
    names = ["Loan Amount ($)", "1st owner", "class", "model_year", "schema", "Größe", "§"]
    assert [field_name(name, ()) for name in names] == [
        "loan_amount", "f_1st_owner", "class_", "the_model_year", "schema_", "gr_e", "field",
    ]  # fmt: skip
    assert field_name("A b", ["a_b"]) == "a_b_2"


def of_file(folder: Path, header: str, rows: list[str], wish: Wish) -> Survey:
    path = folder / "file.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return survey(open_file(str(path)), wish)


def test_a_file_becomes_a_declaration_whose_example_is_no_row_of_it(tmp_path: Path) -> None:
    rows = [f"{100 + n},{'abc'[n % 3]},{'Charged Off' if n % 4 == 0 else 'Fully Paid'}" for n in range(N)]
    rows = [f"{line},{2 * (n % 7)}" for n, line in enumerate(rows)]
    found = of_file(tmp_path, "no,grade,loan_status,terms", rows, Wish("loan_status"))
    declared = found.declaration
    assert declared.head is not None
    assert (declared.head.kind, declared.head.outputs) == ("score", ("Charged Off",))
    assert declared.head.words == {"Charged Off": ("Charged Off",), "Fully Paid": ("Fully Paid",)}
    assert list(declared.used("input")) == ["grade", "terms"]
    assert declared.example == {"grade": "a", "terms": 6}
    assert (found.rows, found.whole) == (N, True)


@pytest.mark.parametrize(
    ("labels", "kind", "outputs"),
    [
        (["yes", "no"], "score", ("target",)),
        (["0", "1"], "score", ("target",)),
        (["1", "2", "3"], "classify", ("1", "2", "3")),
        (["fees", "fraud", "card", "loan", "other"], "classify", ("card", "fees", "fraud", "loan", "other")),
        ([f"{n / 7:.3f}" for n in range(50)], "regress", ("target",)),
    ],
)
def test_the_head_is_guessed_from_the_labels(
    tmp_path: Path, labels: list[str], kind: str, outputs: tuple[str, ...]
) -> None:
    rows = [f"{labels[n % len(labels)]},{n % 13}" for n in range(N)]
    head = of_file(tmp_path, "target,x", rows, Wish("target")).declaration.head
    assert head is not None
    assert (head.kind, head.outputs) == (kind, outputs)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (Wish("y"), "--target 'y': .* has no such column, it has target, x"),
        (Wish("target", group="shop"), "--group 'shop'"),
        (Wish("x"), "the column 'x' holds '1' alone; give rows of another kind"),
    ],
)
def test_a_column_that_is_not_there_or_tells_nothing_is_named(tmp_path: Path, wish: Wish, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        of_file(tmp_path, "target,x", [f"{n % 2},1" for n in range(50)], wish)
