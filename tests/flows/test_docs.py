"""What README and docs tell people to type is understood; the recipe examples in them can be read."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from flows import recipe
from flows.__main__ import COMMANDS, parser

ROOT = Path(__file__).resolve().parents[2]
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
