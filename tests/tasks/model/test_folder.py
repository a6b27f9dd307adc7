"""What a version's folder holds is said in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.model.folder import Folder

ROOT = Path(__file__).resolve().parents[3]
HOUSE = ("flows", "tasks", "serving", "registry", "interpret", "infra")
FILES = [
    name
    for name, value in vars(Folder).items()
    if isinstance(value, property) and isinstance(getattr(Folder(Path("x")), name), Path)
]


def test_nobody_else_writes_the_name_of_a_file_of_a_version() -> None:
    names = [getattr(Folder(Path("x")), file).name for file in FILES]
    assert len(names) == 14
    home = ROOT / "tasks" / "model" / "folder.py"
    wrong = [
        f"{path.relative_to(ROOT)} writes {name}; take it from tasks.model.folder.Folder"
        for folder in HOUSE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in names
        if path != home and f'"{name}"' in path.read_text(encoding="utf-8")
    ]
    # The card of the rows stands in the data stage's folder too, before there is a version.
    assert wrong == ["tasks/data/prepare.py writes data.json; take it from tasks.model.folder.Folder"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "metrics.json is missing in 'model'; take the whole folder again"),
        ("{", "metrics.json is not JSON"),
        ("[1]", "metrics.json in 'model' is no JSON object; take the file from the registry again"),
    ],
)
def test_a_document_that_is_not_there_or_none_is_refused(tmp_path: Path, content: str | None, sentence: str) -> None:
    folder = Folder(tmp_path / "model")
    folder.path.mkdir()
    if content is not None:
        folder.metrics.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence.replace("[", r"\[")):
        folder.read(folder.metrics)


def test_a_document_is_written_as_a_whole_and_read_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(folder.calibration, {"b": 1, "a": [0.5]})
    assert folder.calibration.read_bytes() == b'{"a":[0.5],"b":1}'
    assert folder.read(folder.calibration) == {"a": [0.5], "b": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]
