"""What is looked at before a report is registered: nothing gets in that is not this model's report, byte for byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interpret.report import inside, pdf, render, stage
from interpret.section import ExplainSection
from tasks import digest
from tests.interpret.conftest import write_model  # type: ignore[import-not-found]

CHAMPION = {"version": "toy@3", "value": 0.9, "ci95": [0.8, 0.99], "lift": 0.01, "lift_ci95": [-0.1, 0.1]}
POINTS = [{"given": 0.1, "observed": 0.0, "ci95": [0.0, 0.3], "answers": 40}]
NOTHING = {"value": None, "ci95": None, "lift": None, "lift_ci95": [None, None], "verdict": "refused"}
Spoil = Callable[[dict[str, Any]], Any]


def test_the_report_of_a_model_is_let_in_and_keeps_being_let_in(toy_model: Path, toy_folder: Path) -> None:
    assert inside.refused("toy", toy_model, toy_folder) == []
    assert inside.faults("toy", toy_model, toy_folder) == []


@pytest.mark.parametrize(
    "metrics",
    [{"champion": CHAMPION, "reliability": POINTS}, {"champion": {"version": "toy@3", "why": "it is new"}}, NOTHING],
)
def test_whatever_was_judged_of_a_version_its_report_is_let_in(
    make_report: Callable[..., dict[str, Any]], metrics: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    model = write_model(tmp_path / "model", metrics)
    stage.write(make_report(ExplainSection(cases=1, budget=64, rows=1), metrics=metrics), tmp_path / "r")
    assert inside.refused("toy", model, tmp_path / "r") == []


def block(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(b for part in content["sections"] for b in part["blocks"] if b["id"] == name)


def case(content: dict[str, Any]) -> dict[str, Any]:
    return next(b for part in content["sections"] for b in part["blocks"] if b["kind"] == "case")


# Each is written in canonical form: who knows how reports are made can make the page anew, so it is not asked.
EDITED: list[tuple[Spoil, str]] = [
    (lambda c: c.update(task="risk"), "is the report of task 'risk', not of 'toy'"),
    (lambda c: c.update(model_digest="0" * 64), "is about the model 0000000000000000"),
    (lambda c: c.update(value=0.99), "says value 0.99, the model's own file 0.91"),
    (lambda c: c.update(verdict="refused"), "says verdict refused"),
    (lambda c: c["lift_ci95"].__setitem__(0, 0.04), "says lift_ci95"),
    (lambda c: block(c, "s6.metric")["rows"][0].__setitem__(1, 0.99), "s6.metric in report.json is not what"),
    (lambda c: block(c, "s6.calibration")["rows"][3].__setitem__(1, 0.5), "s6.calibration in report.json is not what"),
    (lambda c: c["sections"][6]["blocks"].pop(1), "s6.metric in report.json is not what"),
    (lambda c: block(c, "s2.files")["rows"][0].__setitem__(1, 5), "s2.files in report.json is not what"),
    (lambda c: block(c, "s5.trials")["rows"][0].__setitem__(1, 0.1), "s5.trials in report.json is not what"),
    (lambda c: block(c, "s16.rule")["rows"][0].update(value=9.0), "s16.rule in report.json is not what"),
    (lambda c: c["sections"][1]["blocks"].pop(-1), "s0.identity in report.json does not count its"),
    (lambda c: case(c)["players"][0].update(value=9.0), "says a sum of"),
    (lambda c: c["numbers"][0].update(value=81.0), "its number is 81.0"),
    (lambda c: c["numbers"].pop(0), "without its number"),
    (lambda c: c["numbers"][0].update(at="/task"), "where no text stands"),
    (lambda c: c.update(extra=1), "breaks its schema 1 times"),
    (lambda c: c["sections"].pop(14), "breaks its schema"),
    (lambda c: c.update(renderer="0" * 64), "made for another page"),
    (lambda c: c.update(schema="assay/report/1"), "keeps assay/report/1, not assay/report/3"),
]


@pytest.mark.parametrize(("spoil", "said"), EDITED)
def test_an_edited_report_is_refused_whatever_its_page(
    toy_model: Path, toy_report: dict[str, Any], tmp_path: Path, spoil: Spoil, said: str
) -> None:
    content = json.loads(json.dumps(toy_report))
    spoil(content)
    digest.write_json(tmp_path / "report.json", content)
    (tmp_path / "report.html").write_text("a page", encoding="utf-8")
    (tmp_path / "report.pdf").write_bytes(b"a print")
    told = inside.refused("toy", toy_model, tmp_path)
    assert any(said in each for each in told), told


def shrink(folder: Path, size: int) -> None:
    with (folder / "report.json").open("wb") as file:
        file.truncate(size)


def link(folder: Path) -> None:
    shutil.move(folder / "report.html", folder.parent / "elsewhere.html")
    (folder / "report.html").symlink_to(folder.parent / "elsewhere.html")


def replaced(name: str, old: str, new: str) -> Callable[[Path], Any]:
    def spoil(folder: Path) -> None:
        content = (folder / name).read_text(encoding="utf-8")
        assert old in content
        (folder / name).write_text(content.replace(old, new, 1), encoding="utf-8")

    return spoil


FILES: list[tuple[Callable[[Path], Any], str]] = [
    (lambda f: [path.unlink() for path in f.iterdir()], "report.json is missing"),
    (lambda f: [*(path.unlink() for path in f.iterdir()), (f / "hello.txt").write_text("hello")], "'hello.txt'"),
    (lambda f: (f / "report.txt").write_bytes(b"%PDF"), "'report.txt' in the report's folder is no part"),
    (lambda f: (f / "sub").mkdir(), "'sub' in the report's folder is no part"),
    (lambda f: (f / "report.html").unlink(), "report.html is missing"),
    (lambda f: (f / "report.pdf").unlink(), "report.pdf is missing"),
    (
        lambda f: (f / "report.pdf").write_bytes((f / "report.pdf").read_bytes() + b"\n"),
        "report.pdf is not the page that report.json gives",
    ),
    (replaced("report.html", "0.910", "0.980"), "is not the page that report.json gives"),
    (
        lambda f: (f / "report.html").write_bytes((f / "report.html").read_bytes().replace(b"\n", b"\r\n")),
        "is not the page",
    ),
    (replaced("report.json", '{"baseline"', '{"value":0.99,"baseline"'), "the key 'value' stands twice"),
    (replaced("report.json", '"value":0.91,', '"value":NaN,'), "NaN is no number"),
    (replaced("report.json", '"value":0.91,', '"value":0.910,'), "not in canonical form"),
    (replaced("report.json", '{"baseline"', "[" * 200_000 + '{"baseline"'), "nests too deep"),
    (lambda f: (f / "report.json").write_text("[]"), "keeps list, not assay/report/3"),
    (lambda f: (f / "report.json").write_bytes(b"\xff\xfe"), "is no strict JSON"),
    (lambda f: shrink(f, 33_000_000), "report.json has 33000000 bytes, more than 32000000"),
    (link, "report.html in the report's folder is a link"),
]


@pytest.mark.parametrize(("spoil", "said"), FILES)
def test_a_folder_that_is_no_report_is_refused(
    toy_model: Path, toy_folder: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: str
) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    for name in ("report.json", "report.html", "report.pdf"):
        shutil.copy(toy_folder / name, folder)
    spoil(folder)
    told = inside.refused("toy", toy_model, folder)
    assert said in told[0], told


def test_the_report_of_another_version_of_the_same_task_is_refused(
    toy_model: Path, toy_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(toy_model, tmp_path / "model")
    (tmp_path / "model" / "head.safetensors").write_bytes(b"weights!")
    assert "is about the model" in inside.refused("toy", tmp_path / "model", toy_folder)[0]


def test_a_document_that_cannot_be_drawn_is_refused_in_a_sentence(
    toy_model: Path, toy_report: dict[str, Any], tmp_path: Path
) -> None:
    content = json.loads(json.dumps(toy_report))
    block(content, "s8.importance")["data"]["values"].pop()
    digest.write_json(tmp_path / "report.json", content)
    (tmp_path / "report.html").write_text("a page", encoding="utf-8")
    (tmp_path / "report.pdf").write_bytes(b"a print")
    assert inside.refused("toy", toy_model, tmp_path)[0].startswith("report.json gives no page (ValueError")


def test_a_finding_of_the_models_own_figures_cannot_be_left_out(
    make_report: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    metrics = {"lift_ci95": [-0.01, 0.09]}
    (tmp_path / "model").mkdir()
    model = write_model(tmp_path / "model", metrics)
    content = make_report(ExplainSection(cases=1, budget=64, rows=1), metrics=metrics)
    lines = content["sections"][1]["blocks"]
    lines.remove(next(line for line in lines if line["id"] == "s1.no_lift"))
    block(content, "s0.identity")["rows"][-1]["value"] -= 1
    stage.write(content, tmp_path / "r")
    assert "s1.no_lift in report.json is not what" in inside.refused("toy", model, tmp_path / "r")[0]


def test_of_another_release_the_page_is_read_where_it_cannot_be_made_again(
    toy_model: Path, toy_report: dict[str, Any], tmp_path: Path
) -> None:
    content = {**toy_report, "renderer": "0" * 64}
    digest.write_json(tmp_path / "report.json", content)
    page = render.html(content).replace("</main>", "</main>\n")
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    (tmp_path / "report.pdf").write_bytes(pdf.pdf(content, page))
    assert inside.faults("toy", toy_model, tmp_path) == []
    assert inside.unprinted(tmp_path) is None
    (tmp_path / "report.pdf").write_bytes(pdf.pdf(content, page.replace("0.910", "0.980")))
    assert inside.faults("toy", toy_model, tmp_path)[0].startswith("report.pdf is not the page that")
    (tmp_path / "report.html").write_text(page.replace("0.910", "0.980"), encoding="utf-8")
    assert "'0.980' points to /value" in inside.faults("toy", toy_model, tmp_path)[0]
    digest.write_json(tmp_path / "report.json", {**content, "schema": "assay/report/1"})
    with pytest.raises(inside.OtherSchemaError, match="did not look inside"):
        inside.faults("toy", toy_model, tmp_path)


def test_a_print_by_another_typst_is_not_registered_and_later_said_to_be_held_by_its_digest(
    toy_model: Path, toy_report: dict[str, Any], tmp_path: Path
) -> None:
    stage.write({**toy_report, "printer": {"typst": "0.14.0", "digest": "0" * 64}}, tmp_path)
    (tmp_path / "report.pdf").write_bytes(b"%PDF as typst 0.14.0 has it")
    assert "was made for another report.pdf (typst 0.14.0, here" in inside.refused("toy", toy_model, tmp_path)[0]
    assert inside.faults("toy", toy_model, tmp_path) == []
    assert "set by typst 0.14.0 and cannot be made again" in (inside.unprinted(tmp_path) or "")
