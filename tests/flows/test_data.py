"""`data check` and `data card`: every mistake of every task at once, without Ray and Prefect, and nothing is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows import data
from tests.house.tree import ROOT  # type: ignore[import-not-found]

NOTES = "text;label;Group\n" + "".join(
    f"Note {n} of firm {n % 7} is new;{('negative', 'neutral', 'positive')[n % 3]};f{n}\n" for n in range(60)
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "notes.csv").write_text(NOTES, encoding="utf-8")
    (tmp_path / "clauses.csv").write_text("text,target\nFees may change.,chnge\nAll fine.,none\n", encoding="utf-8")
    path = tmp_path / "own.toml"
    path.write_text(
        f"[tasks.sentiment]\nsource = '{tmp_path}/notes.csv'\ncolumns = {{target = 'label'}}\n"
        f"[tasks.compliance]\nsource = '{tmp_path}/clauses.csv'\n"
    )
    return path


def test_a_check_tells_rows_columns_mistakes_and_warnings_of_every_task(recipe: Path) -> None:
    document = data.check(str(recipe), [])
    assert document["ok"] is False
    sentiment, compliance = (document["tasks"][name] for name in ("sentiment", "compliance"))
    assert set(sentiment) == {"rows", "columns", "mistakes", "warnings", "card"}
    assert (sentiment["rows"]["read"], sentiment["mistakes"]) == (60, [])
    assert sentiment["columns"]["used"] == {"target": "label", "text": "text"}
    assert sentiment["card"]["file"]["separator"] == ";"
    assert any("'Group' was not used" in said for said in sentiment["warnings"])
    assert any("test texts share more than half" in said for said in sentiment["warnings"])
    assert len(compliance["mistakes"]) == 1
    assert "row 2: label 'chnge' is none of" in compliance["mistakes"][0]
    json.dumps(document, allow_nan=False)


def test_rows_that_are_wrong_in_one_way_are_one_mistake_with_their_count(recipe: Path) -> None:
    (recipe.parent / "notes.csv").write_text(NOTES.replace("neutral", "so-so"))
    (mistake,) = data.check(str(recipe), [])["tasks"]["sentiment"]["mistakes"]
    assert mistake.startswith("row 3: label 'so-so' is none of")
    assert mistake.endswith("(and 19 more such rows: 6, 9, 12, 15, 18 ...)")


def test_the_command_ends_with_2_where_a_file_is_wrong_and_with_0_where_it_is_only_odd(
    recipe: Path, tmp_path: Path
) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows", "data", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    wrong = run("check", str(recipe))
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False)
    assert "1 mistake" in wrong.stdout
    assert "label 'chnge' is none of" in " ".join(wrong.stdout.replace("│", " ").split())
    odd = run("check", str(recipe), "--json", "--set", f"tasks.compliance.source={tmp_path}/none.csv")
    assert "is not there" in json.loads(odd.stdout)["tasks"]["compliance"]["mistakes"][0]
    recipe.write_text(recipe.read_text().partition("[tasks.compliance]")[0])
    card = run("card", str(recipe))
    assert card.returncode == 0
    assert "Data card of sentiment" in card.stdout
    assert "file.separator" in card.stdout


def test_neither_ray_nor_prefect_nor_torch_is_imported(recipe: Path) -> None:
    code = (
        "import sys; from flows.__main__ import main; "
        f"main(['data', 'check', {str(recipe)!r}, '--json']); "
        "heavy = {'ray', 'prefect', 'torch'} & set(sys.modules); assert not heavy, heavy"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_a_recipe_that_is_none_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="there is no recipe at"):
        data.check("nowhere.toml", [])
