"""What a report tells of refused rows is what the endpoint tells them; a list that was swapped does not load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tasks
from interpret.attribution import refusals
from interpret.report.sections import refusals as sections
from serving import service
from tasks.model.folder import Folder
from tasks.risk import german
from tasks.validate import reasons_file

from .conftest import some_rows

RISK = tasks.get("risk")


def test_a_report_counts_what_all_refused_rows_are_told_as_the_endpoint_tells_it(
    risk: service.Served, risk_folder: Folder
) -> None:
    rows = some_rows("risk")
    found = refusals.explain(risk.model, "risk", risk_folder, rows)
    assert found is not None
    answers = service.answer(risk, [RISK.item(**fields) for fields, _ in _applicants(rows.ids)])
    told_by = {row: said.answer["answer"]["reasons"] for row, said in zip(rows.ids, answers, strict=True)}
    assert found.count == sum(said.answer["answer"]["probability_of_default"] > 0.5 for said in answers) > 5
    for each in found.told:
        assert [reason.model_dump(mode="json") for reason in each.reasons] == told_by[each.row]
    section = sections.told(found)
    counts = {fact["name"]: fact["value"] for block in section if block["slug"] == "counts" for fact in block["rows"]}
    assert counts["reasons given"] == counts["with a lower end above zero"] > 0
    assert counts["of a group of which the row holds nothing"] == 0
    assert {"codes", "reasons", "counterfactuals"} <= {block["slug"] for block in section}


def test_a_version_with_another_tasks_list_or_rows_does_not_load(risk_folder: Folder, tmp_path: Path) -> None:
    whole = risk_folder.read(risk_folder.reasons)
    for change, says in (
        ({"reference": [row[1:] for row in whole["reference"]]}, "features"),
        ({"list": whole["list"] | {"codes": {"age": {"code": "R1", "text": "x"}}}}, "no code for"),
        ({"spoken": None}, "not what a version holds"),
    ):
        forged = Folder(tmp_path)
        forged.write(forged.reasons, whole | change)
        with pytest.raises(ValueError, match=says):
            reasons_file.of_folder(forged, RISK)


def _applicants(ids: tuple[str, ...]) -> list[Any]:
    path = Path(german.__file__).with_name("german.csv")
    pairs = list(german.read(path))
    return [pairs[int(name.removeprefix("german-"))] for name in ids]
