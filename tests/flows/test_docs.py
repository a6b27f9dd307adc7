"""What README and docs tell people to type is understood; the recipe examples in them can be read."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

import tasks
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


def test_the_results_in_the_readme_are_what_the_command_writes(tmp_path: Path) -> None:
    rows = {
        name: {
            "rows": 1408, "metric": "auc", "value": value, "ci95": [value - 0.1, value + 0.1], "lift_ci95": [low, 0.2],
            "baseline": {"name": "scorecard", "value": 0.5}, "synthetic": name == "sentiment",
        }
        for name, value, low in (("sentiment", 0.75, 0.01), ("anomaly", 60.0, -1.0))
    }  # fmt: skip
    page = tmp_path / "README.md"
    page.write_text(f"before\n{front_page.BEGIN}\nold\n{front_page.END}\nafter\n", encoding="utf-8")
    front_page.keep({"seconds": 200.4, "tasks": rows}, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{front_page.BEGIN}\nWhat a retrain of `flows/recipes/demo.toml` gave on ")
    assert text.endswith(f"{front_page.END}\nafter\n")
    assert "| sentiment, synthetic | 1,408 | auc | 0.750 (0.650 .. 0.850) | 0.500 | +0.010 .. +0.200 |" in text
    assert "| anomaly | 1,408 | auc | 60.0 (59.9 .. 60.1) | 0.5 | -1.0 .. +0.2 |" in text
    assert "Only the lift of sentiment is told apart from zero" in text
    shipped = (ROOT / "README.md").read_text(encoding="utf-8")
    between = shipped.partition(front_page.BEGIN)[2].partition(front_page.END)[0]
    assert f"| {' | '.join(front_page.HEAD)} |" in between
    assert [line.split(" | ")[0].split(",")[0] for line in between.splitlines() if line.startswith("| ")][1:] == [
        f"| {name}" for name in tasks.names()
    ]
