"""What README and docs tell people to type is understood; the recipe examples in them can be read."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tasks
from benchmarks import flow
from benchmarks.parts import front_page
from flows import recipe
from flows.__main__ import COMMANDS, parser

ROOT = Path(__file__).resolve().parents[2]
WIDTH, LONGEST_ENTRY = 100, 90
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = [
    (page.name, line.strip())
    for page in PAGES
    for line in page.read_text(encoding="utf-8").splitlines()
    if line.startswith("    ./assay ")
]


@pytest.mark.parametrize(("page", "line"), TYPED)
def test_a_command_in_the_documents_is_understood(page: str, line: str) -> None:
    arguments = parser().parse_args(shlex.split(line)[1:])
    assert arguments.command in {name for name, _, _ in COMMANDS}
    for name in re.findall(r"flows/recipes/\S+\.toml", line):
        assert (ROOT / name).is_file()


def test_the_documents_show_commands_and_recipes() -> None:
    assert len(TYPED) > 10
    blocks = [
        b for page in PAGES for b in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert blocks
    for block in blocks:
        assert recipe.parse(tomllib.loads(block)).tasks


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_path_in_a_document_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`((?:flows|tasks|infra|docs|tests|registry|serving|interpret)/[\w./]+)`", text):
        assert (ROOT / name).exists() or "<" in name, name


def test_every_variable_of_the_operations_page_is_a_setting() -> None:
    from infra.settings import Settings

    named = set(
        re.findall(r"^\| `ASSAY_(\w+)`", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named == {field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "DECISIONS.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_prose_is_wrapped_at_a_hundred_columns(page: Path) -> None:
    lines = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL).splitlines()
    long = [line for line in lines if len(line) > WIDTH and not line.startswith(("|", "    ", "!["))]
    assert not long, f"{page.name} has lines of more than {WIDTH} columns; wrap them: {long[:3]}"


def entries(text: str) -> list[tuple[str, str]]:
    """Heading and text of each decision."""
    parts = (part.partition("\n") for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:])
    return [(heading, body) for heading, _, body in parts]


def complaints(decisions: str) -> list[str]:
    """Which entry is too wide, too long or without its day, and the cure."""
    found = []
    for heading, body in entries(decisions):
        if not re.match(r"\d{4}-\d\d-\d\d \S", heading):
            found.append(f"{heading}: no date. Cure: begin the heading with the day, as 2026-11-22")
        if (words := len(body.split())) > LONGEST_ENTRY:
            found.append(f"{heading}: {words} words. Cure: shorten it to {LONGEST_ENTRY}, or make two entries of it")
        if (widest := max(map(len, [f"## {heading}", *body.splitlines()]))) > WIDTH:
            found.append(f"{heading}: a line of {widest} columns. Cure: wrap it at {WIDTH}")
    return found


def test_a_decision_is_dated_and_says_itself_in_ninety_words_of_a_hundred_columns() -> None:
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    assert entries(text)
    assert not complaints(text), "\n".join(complaints(text))


@pytest.mark.parametrize(
    ("entry", "cure"),
    [
        ("## 2026-11-22 Long\n" + "word " * 10 + ("\n" + "word " * 10) * 9, "Long: 100 words. Cure: shorten it to 90"),
        ("## 2026-11-22 Wide\n" + "x" * 101, "Wide: a line of 101 columns. Cure: wrap it at 100"),
        ("## Some day\nWhy.", "Some day: no date. Cure: begin the heading with the day"),
    ],
)
def test_a_decision_that_breaks_the_rule_is_named_with_its_cure(entry: str, cure: str) -> None:
    found = complaints(f"# Decisions\n\n## 2026-11-21 Short\nBecause.\n\n{entry}\n")
    assert len(found) == 1
    assert cure in found[0]


def test_the_tree_in_the_readme_names_every_folder_once_and_no_other() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {str(parent) for name in listed for parent in Path(name).parents if str(parent) != "."}
    there = {name for name in folders if not name.startswith("tests/") and name != ".ci"}
    tree = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where everything stands")[2]
    named = re.findall(r"^    (\S+)/ +\S", tree, flags=re.MULTILINE)
    missing, gone = sorted(there - set(named)), sorted(set(named) - there)
    assert not missing, f"README's tree lacks {missing}. Cure: a line for each, with a few words"
    assert not gone, f"README's tree names {gone}, which are not there. Cure: remove those lines"
    assert len(named) == len(set(named)), "README's tree names a folder twice"


def row(name: str, value: float, lift: list[float] | None, **more: object) -> dict[str, object]:
    """One task of a retrain document."""
    shown = {"rows": 1408, "metric": name, "value": value, "ci95": [value - 0.1, value + 0.1], "lift_ci95": lift}
    return {**shown, "baseline": {"name": "scorecard", "value": 0.5}, "synthetic": False, **more}


def test_the_results_are_a_table_of_what_a_retrain_found() -> None:
    rows = {
        "sentiment": row("auc", 0.75, [0.01, 0.2], synthetic=True),
        "anomaly": row("nab", 9.0, [-1.0, 0.2], synthetic=True),
        "risk": row("auc", 0.6, None, ci95=None),
    }
    text = front_page.results({"seconds": 200.4, "tasks": rows}, 4, "2026-11-22")
    assert text.startswith(
        f"{front_page.BEGIN}\nWhat a retrain of `flows/recipes/demo.toml` gave on four cores (200 s, "
    )
    assert "| anomaly, synthetic anomalies | 1,408 | nab | 9.0 (8.9 .. 9.1) | 0.5 | -1.0 .. +0.2 |" in text
    assert "| sentiment, synthetic | 1,408 | auc | 0.750 (0.650 .. 0.850) | 0.500 | +0.010 .. +0.200 |" in text
    assert "| risk | 1,408 | auc | 0.600 | 0.500 | - |" in text
    assert text.index("| anomaly") < text.index("| risk") < text.index("| sentiment")
    assert "Only the lift of sentiment is told apart from zero; the others say" in text


@pytest.mark.parametrize(
    ("lifts", "told"),
    [
        ({"mood": [-0.1, 0.1]}, "No lift is told apart from zero"),
        ({"mood": [0.1, 0.2]}, "Every lift is told apart from zero.\n"),
        ({"fall": [-0.2, -0.1], "mood": [0.1, 0.2]}, "Every lift is told apart from zero. Below zero: fall."),
        ({"a": [0.1, 0.2], "b": [0.1, 0.2], "c": [-0.2, -0.1], "d": [-1, 1]}, "Only the lifts of a, b and c are told"),
    ],
)
def test_the_results_say_which_lifts_are_told_apart_and_which_are_losses(
    lifts: dict[str, list[float]], told: str
) -> None:
    rows = {name: row("auc", 0.75, ends) for name, ends in lifts.items()}
    assert told in front_page.results({"seconds": 1.0, "tasks": rows}, 2, "2026-11-22")


def test_the_results_stand_between_their_marks_and_nothing_around_them_changes(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{front_page.BEGIN}\nyesterday\n{front_page.END}\nafter\n", encoding="utf-8")
    front_page.keep({"seconds": 1.0, "tasks": {"risk": row("auc", 0.6, [0.1, 0.2])}}, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{front_page.BEGIN}\nWhat a retrain")
    assert text.endswith(f"{front_page.END}\nafter\n")
    assert "yesterday" not in text
    page.write_text(f"before\n{front_page.BEGIN}\nyesterday\nafter\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for the results"):
        front_page.keep({"seconds": 1.0, "tasks": {}}, page)
    assert page.read_text(encoding="utf-8").endswith("yesterday\nafter\n")


@pytest.mark.parametrize(("overrides", "kept"), [([], 1), (["train.epochs=1"], 0)])
def test_the_readme_tells_of_the_recipe_as_it_is_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch, overrides: list[str], kept: int
) -> None:
    written: list[object] = []
    document = {"seconds": 2.0, "stages": {"train": 1.0}, "cold_start_s": 0.5, "tasks": {}}
    monkeypatch.setattr(flow.local_run, "run", lambda recipe, overrides: document)
    monkeypatch.setattr(flow.front_page, "keep", written.append)
    assert flow.run(overrides)[0]["ours"] == 0.5
    assert len(written) == kept


def shown(block: str) -> dict[str, Any]:
    """The retrain document whose results are a table in the README."""
    rows: dict[str, Any] = {}
    for line in block.splitlines():
        if not line.startswith("| ") or line == f"| {' | '.join(front_page.HEAD)} |":
            continue
        label, count, metric, *cells = line.strip("| ").split(" | ")
        ours, classical, lift = ([float(n) for n in re.findall(r"[-+]?\d+\.\d+", cell)] for cell in cells)
        rows[label.split(",")[0]] = {
            "rows": int(count.replace(",", "")), "metric": metric, "synthetic": "synthetic" in label,
            "value": ours[0], "ci95": ours[1:] or None, "baseline": {"value": classical[0]}, "lift_ci95": lift or None,
        }  # fmt: skip
    return {"tasks": rows}


def test_the_readme_shows_all_six_tasks_in_the_form_that_the_command_writes() -> None:
    block = (ROOT / "README.md").read_text(encoding="utf-8").partition(front_page.BEGIN)[2].partition(front_page.END)[0]
    found = re.search(r"on (\w+) cores \((\d+) s, on ([\d-]+);", block)
    assert found, "the sentence above README's results was changed by hand. Cure: ./assay bench flow"
    cores = {word: number for number, word in front_page.NUMBERS.items()}
    document = shown(block) | {"seconds": float(found[2])}
    assert sorted(document["tasks"]) == sorted(set(tasks.names()) - {"reasoning"})  # it has a recipe of its own
    written = front_page.results(document, cores.get(found[1]) or int(found[1]), found[3])
    # The sentence below the table knows digits that the table does not show.
    assert block.split("\n\n")[:2] == written.removeprefix(front_page.BEGIN).split("\n\n")[:2], (
        "README's results were changed by hand. Cure: ./assay bench flow"
    )
