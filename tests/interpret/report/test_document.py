"""The report as a document: it keeps its schema, names the version, and says what was measured and what was not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from interpret.report import blocks, document, facts, render, stage
from interpret.report.facts import Run
from interpret.section import ExplainSection
from tasks import digest
from tasks.model.folder import Folder
from tasks.task import Feature, Inputs, Rows

SCHEMA = Path(stage.__file__).with_name("report.schema.json")
Make = Callable[..., dict[str, Any]]
Toy = dict[str, Callable[..., Any]]
SMALL = ExplainSection(cases=1, budget=64, rows=1)


def every(content: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    return (block for part in content["sections"] for block in part["blocks"] if block["kind"] == kind)


def block(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(b for part in content["sections"] for b in part["blocks"] if b["id"] == name)


def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_json_keeps_its_schema_and_is_canonical(toy_folder: Path) -> None:
    written = (toy_folder / "report.json").read_bytes()
    validator().validate(json.loads(written))
    assert written == digest.canonical(json.loads(written))


def test_nineteen_sections_and_four_annexes_stand_in_order_and_none_is_empty(toy_report: dict[str, Any]) -> None:
    assert [part["number"] for part in toy_report["sections"]] == [str(n) for n in range(19)] + list("ABCD")
    assert all(part["blocks"] for part in toy_report["sections"])


def test_every_learning_rate_that_was_tried_is_drawn_and_the_kept_one_is_named(toy_report: dict[str, Any]) -> None:
    figure, table = block(toy_report, "s5.training"), block(toy_report, "s5.trials")
    assert figure["data"]["lines"] == [[0.7, 0.6, 0.5, None, None], [0.7, 0.5, 0.45, 0.4, 0.42]]
    assert figure["data"]["kinds"] == ["peer", "ours"]
    assert table["rows"] == [[0.001, 0.5, 2, ""], [0.002, 0.4, 4, "kept"]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r["sections"].pop(14),
        lambda r: r["sections"].append(r["sections"][0]),
        lambda r: r["sections"][3]["blocks"].clear(),
        lambda r: r["sections"].reverse(),
        lambda r: next(every(r, "absent")).update(reason="because"),
        lambda r: next(every(r, "absent")).update(note=""),
        lambda r: next(every(r, "figure")).update(alt=""),
        lambda r: next(every(r, "case")).pop("base"),
        lambda r: r.update(extra=1),
    ],
)
def test_the_schema_refuses_what_a_report_must_not_be(toy_report: dict[str, Any], spoil: Callable[[Any], Any]) -> None:
    spoiled = json.loads(json.dumps(toy_report))
    spoil(spoiled)
    assert not validator().is_valid(spoiled)


def test_ids_of_blocks_are_unique(toy_report: dict[str, Any]) -> None:
    ids = [b["id"] for part in toy_report["sections"] for b in part["blocks"]]
    assert len(ids) == len(set(ids))


def test_a_section_without_anything_is_refused(make_report: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = (("0", "This report", lambda facts, study: []), *document.SECTIONS[1:])
    monkeypatch.setattr(document, "SECTIONS", empty)
    with pytest.raises(ValueError, match="section 0 of the report has nothing"):
        make_report(SMALL)


def test_an_unknown_reason_code_is_refused() -> None:
    with pytest.raises(ValueError, match="use one of"):
        blocks.absent("x", "thing", "because", "no")


def test_reason_codes_of_schema_and_code_agree() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema["$defs"]["absent"]["properties"]["reason"]["enum"] == sorted(blocks.REASONS)


def test_the_same_input_gives_the_same_bytes(toy_report: dict[str, Any], make_report: Make) -> None:
    assert digest.canonical(make_report()) == digest.canonical(toy_report)


def test_every_case_adds_up_to_its_answer(toy_report: dict[str, Any]) -> None:
    cases = list(every(toy_report, "case"))
    assert len(cases) == 4
    for case in cases:
        total = case["base"] + sum(player["value"] for player in case["players"])
        assert total == pytest.approx(case["full"], rel=1e-4, abs=1e-4)
        assert "".join(piece["text"] for piece in case["text"]).startswith("Sales at firm")


def test_the_metric_stands_beside_its_baseline_with_what_each_part_is_worth(toy_report: dict[str, Any]) -> None:
    rows = block(toy_report, "s6.metric")["rows"]
    assert [row[:2] for row in rows] == [["this version", 0.91], ["baseline: toy rule", 0.86], ["difference", 0.05]]
    assert rows[2][2:] == [0.01, 0.09]
    assert block(toy_report, "s6.ablation_table")["rows"][1][0] == "without text"


def test_a_version_that_was_not_judged_is_refused(toy: Toy, tmp_path: Path) -> None:
    run = Run(SMALL, seed=7, threads=1, lineage={})
    with pytest.raises(ValueError, match=r"metrics\.json is missing in 'unjudged'"):
        facts.read(toy["task"](), Folder(tmp_path / "unjudged"), {}, run)


def test_what_validation_refused_is_a_finding_and_a_figure_that_is_no_number_is_said(make_report: Make) -> None:
    nothing = {"value": None, "ci95": None, "lift": None, "lift_ci95": [None, None], "verdict": "refused"}
    content = make_report(SMALL, metrics={**nothing, "reasons": ["no numbers", "no lift"]})
    assert block(content, "s1.refused")["body"] == "no numbers; no lift"
    assert (
        "it reaches auc no number; the baseline, toy rule, reaches 0.86." in block(content, "s1.plain")["paragraphs"][1]
    )
    assert block(content, "s1.comparison")["data"]["names"] == ["baseline: toy rule"]
    assert block(content, "s6.metric")["rows"][0] == ["this version", None, None, None]
    validator().validate(json.loads(json.dumps(content)))
    bare = {**nothing, "baseline": {"name": "toy rule", "value": None, "ci95": None}}
    assert block(make_report(SMALL, metrics=bare), "s1.comparison")["kind"] == "absent"


def test_the_champion_stands_beside_the_version_or_why_it_does_not(make_report: Make) -> None:
    told = {"version": "toy@3", "value": 0.9, "ci95": [0.8, 0.99], "lift": 0.01, "lift_ci95": [-0.1, 0.1]}
    rows = block(make_report(SMALL, metrics={"champion": told}), "s6.metric")["rows"]
    assert rows[3:] == [["champion: toy@3", 0.9, 0.8, 0.99], ["difference to it", 0.01, -0.1, 0.1]]
    content = make_report(SMALL, metrics={"champion": {"version": "toy@3", "why": "it has learned from 3 rows"}})
    assert block(content, "s6.champion")["paragraphs"] == ["Not compared with toy@3: it has learned from 3 rows."]


def test_kinds_of_rows_and_protected_groups_have_their_tables(make_report: Make) -> None:
    rates = {"spared": 0.8, "spared_ci95": [0.7, 0.9], "good_refused": 0.1, "good_refused_ci95": [0.0, 0.2]}
    line = {
        "column": "sex",
        "group": "f",
        "rows": 40,
        **rates,
        "bad_refused": None,
        "bad_refused_ci95": None,
        "ratio": 1.0,
    }
    content = make_report(SMALL, metrics={"fairness": [line]})
    validator().validate(json.loads(json.dumps(content)))
    assert block(content, "s14.rates")["rows"] == [["sex", "f", 40, 0.8, 0.7, 0.9, 1.0]]
    assert block(content, "s14.errors")["rows"] == [["sex", "f", 0.1, 0.0, 0.2, None, None, None]]
    assert block(content, "s6.segments")["rows"][1] == ["long", 20, 0.92, None, None, 0.06, None, None]
    assert block(content, "s6.abstention")["rows"] == [[1.0, 0.91], [0.8, 0.95]]


def test_digests_name_the_version_and_its_files(toy_report: dict[str, Any]) -> None:
    files = {row[0]: row[2] for row in block(toy_report, "s2.files")["rows"]}
    assert toy_report["model_digest"] == digest.of_json(files)
    assert files["head.safetensors"] == digest.of_bytes(b"weights")


def test_a_sign_that_is_broken_is_a_finding(toy_report: dict[str, Any]) -> None:
    verdicts = {row[0]: row[-1] for row in block(toy_report, "s8.signs")["rows"]}
    assert verdicts["debt"] == "disagrees"  # declared to raise the score, but the toy lowers it
    assert block(toy_report, "s1.sign_debt")["level"] == "warn"


def test_text_table_and_series_all_have_a_share(toy_report: dict[str, Any]) -> None:
    shares = {row[0]: row[1] for row in block(toy_report, "s8.shares")["rows"]}
    assert set(shares) == {"text", "table", "series"}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
    order = [row[0] for row in block(toy_report, "s8.table")["rows"]]
    assert order.index("debt") < order.index("noise")


def test_hiding_what_matters_first_beats_random_order(toy_report: dict[str, Any]) -> None:
    data = block(toy_report, "s13.deletion")["data"]
    ordered, random = data["lines"]
    assert ordered[0] == pytest.approx(0, abs=1e-6)
    assert ordered[-1] == pytest.approx(random[-1], rel=1e-3)
    assert sum(ordered) > sum(random)


def test_sampling_that_did_not_converge_is_said(make_report: Make, toy: Toy) -> None:
    def crossed(inputs: Inputs) -> Any:
        return toy["raw"](inputs) * (1 + inputs.table[:, [2]] + inputs.series[:, 0, [0]])

    content = make_report(ExplainSection(cases=2, budget=64, tolerance=1e-6, rows=2), raw=crossed)
    assert [case["converged"] for case in every(content, "case")] == [False, False]
    assert "2 of 2 cases" in block(content, "s1.sampling")["body"]
    assert "not converged" in render.html(content)


def test_a_version_whose_files_answer_otherwise_than_what_was_explained_is_found_out(
    make_report: Make, toy: Toy
) -> None:
    content = make_report(SMALL, anew=lambda inputs: toy["raw"](inputs) + 0.01)
    assert block(content, "s1.additivity")["level"] == "fail"
    assert block(make_report(SMALL), "s1.few")["level"] == "note"
    with pytest.raises(StopIteration):
        block(make_report(SMALL), "s1.additivity")


@pytest.mark.parametrize(
    ("kind", "outputs"), [("classify", ("up", "down")), ("multilabel", ("a", "b")), ("regress", ())]
)
def test_every_kind_of_head_has_a_report(kind: str, outputs: tuple[str, ...], make_report: Make, toy: Toy) -> None:
    def two(inputs: Inputs) -> Any:
        return np.concatenate([toy["raw"](inputs), 0.5 * toy["raw"](inputs)], axis=1)

    rows = toy["rows"](40, 3)
    target = np.repeat(rows.target, 2, axis=1) if kind == "multilabel" else rows.target
    shaped = Rows(rows.ids, rows.inputs, target, rows.time, rows.known, rows.group, rows.split)
    section = ExplainSection(cases=3, budget=64, rows=9)
    content = make_report(section, task=toy["task"](kind, outputs), rows=shaped, raw=two)
    validator().validate(json.loads(json.dumps(content)))
    assert len({case["row"] for case in every(content, "case")}) == 3
    assert render.html(content)


def test_a_task_of_text_alone_is_explained_exactly(make_report: Make, toy: Toy) -> None:
    rows = toy["rows"](30, 3)
    bare = Rows(
        rows.ids,
        Inputs(owner=rows.inputs.owner, text=rows.inputs.text),
        rows.target,
        rows.time,
        rows.known,
        rows.group,
        rows.split,
    )
    content = make_report(
        ExplainSection(cases=3, rows=6, text_budget=64), task=toy["task"](features=(), channels=(), length=0), rows=bare
    )
    cases = list(every(content, "case"))
    assert {case["method"] for case in cases} == {"exact"}
    assert {case["evaluations"] for case in cases} == {2**6}


def test_numbers_are_rounded_and_none_is_not_a_number() -> None:
    assert blocks.clean({"a": 1 / 3, "b": np.float64(2), "c": float("nan"), "d": -0.0, "e": (1, np.int64(2))}) == {
        "a": 0.333333,
        "b": 2.0,
        "c": None,
        "d": 0.0,
        "e": [1, 2],
    }


def test_a_category_is_shown_as_its_word_and_a_missing_value_as_missing(make_report: Make, toy: Toy) -> None:
    rows = toy["rows"](80, 3)
    rows.inputs.table[:, 3] = 1.0
    rows.inputs.table[:, 1] = np.nan
    features = (*toy["task"]().features[:3], Feature("noise", "noise", 1, levels=("calm", "loud")))
    content = make_report(
        SMALL, task=toy["task"](features=features), rows=rows, raw=lambda inputs: np.nan_to_num(inputs.table[:, :1])
    )
    shown = {
        each["name"]: each["value"] for case in every(content, "case") for p in case["players"] for each in p["shown"]
    }
    assert (shown["noise"], shown["savings"]) == ("loud", None)
    validator().validate(json.loads(json.dumps(content)))
    page = render.html(content)
    assert ">loud</span>" in page
    assert ">missing</span>" in page
    assert [row[0] for row in block(content, "s5.signs")["rows"]] == ["income", "savings", "debt"]
