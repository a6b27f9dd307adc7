"""Whole files: nothing of a person is left in what is written, all comes back with the key, and memory stays flat."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows import redact
from tests.house.tree import ROOT  # type: ignore[import-not-found]

LETTER = "Dear Mr. Quartermaine,\nthe card 4111 1111\n1111 1111 and DE44 5001 0517 5407 3249 31 are blocked.\n"


def test_a_text_is_masked_or_named_and_read_back_to_the_byte(tmp_path: Path) -> None:
    file, key = tmp_path / "letter.txt", tmp_path / "people.key"
    file.write_text(LETTER + "caf\u00e9\r\n", encoding="utf-8", newline="")
    told = redact.run(str(file), "", "", [], "")
    masked = Path(told["out"]).read_text(encoding="utf-8")
    assert "[CARD]" in masked and "[IBAN]" in masked and "Quartermaine" not in masked
    assert (told["kinds"]["card"], told["kinds"]["iban"], told["key"]) == (1, 1, None)
    named = redact.run(str(file), str(tmp_path / "named.txt"), str(key), [], "")
    assert "[CARD_" in Path(named["out"]).read_text(encoding="utf-8")
    back = redact.restore(str(tmp_path / "named.txt"), str(tmp_path / "back.txt"), str(key))
    assert Path(back["out"]).read_bytes() == file.read_bytes()
    key.unlink()
    with pytest.raises(ValueError, match="there is no key"):
        redact.restore(str(tmp_path / "named.txt"), str(tmp_path / "again.txt"), str(key))
    assert not (tmp_path / "again.txt").exists()


def test_cells_of_a_table_are_redacted_one_by_one_and_its_form_stays(tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(
        'name;ssn;note\n"Anna Weber";219099998;"paid; by 4111111111111111"\nNobody;1;fine\n', encoding="utf-8"
    )
    told = redact.run(str(file), "", "", [], str(tmp_path / "spans.jsonl"))
    with Path(told["out"]).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter=";"))
    assert rows[0] == ["name", "ssn", "note"]
    assert rows[1] == ["[PERSON]", "[SSN]", "paid; by [CARD]"]
    assert rows[2][2] == "fine"
    spans = [json.loads(line) for line in (tmp_path / "spans.jsonl").read_text().splitlines()]
    card = next(one for one in spans if one["kind"] == "card")
    assert (card["line"], card["column"], card["start"], card["end"], card["by"]) == (2, "note", 9, 25, "checksum")
    assert "4111" not in (tmp_path / "spans.jsonl").read_text()


def test_a_first_row_that_is_somebody_is_no_header(tmp_path: Path) -> None:
    file = tmp_path / "bare.csv"
    file.write_text("x1,a.b@example.com\nx2,c.d@example.com\nx3,e.f@example.com\n", encoding="utf-8")
    told = redact.run(str(file), str(tmp_path / "out.csv"), str(tmp_path / "key"), [], "")
    assert "example" not in Path(told["out"]).read_text()
    redact.restore(str(tmp_path / "out.csv"), str(tmp_path / "back.csv"), str(tmp_path / "key"))
    assert (tmp_path / "back.csv").read_text() == file.read_text()


def test_objects_are_redacted_inside_lists_and_numbers_too(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(
        json.dumps({"card": 4111111111111111, "n": 7, "ok": True, "to": [{"mail": "a.b@example.com"}]}) + "\n"
        + json.dumps({"c.d@example.com": 1, "e.f@example.com": 2}) + "\n"
    )  # fmt: skip
    redact.run(str(file), str(tmp_path / "out.jsonl"), "", [], "")
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert second == {"[EMAIL]": 1, "[EMAIL] 2": 2}
    assert first == {
        "card": "[CARD]",
        "n": 7,
        "ok": True,
        "to": [{"mail": "[EMAIL]"}],
    }


@pytest.mark.parametrize(
    ("name", "kinds", "said"),
    [
        ("rows.parquet", [], "is none of .csv, .jsonl, .txt"),
        ("gone.txt", [], "is not there"),
        ("letter.txt", ["cards"], "'cards' is nothing that can be redacted"),
    ],
)
def test_a_wrong_use_is_a_sentence_and_leaves_no_file(tmp_path: Path, name: str, kinds: list[str], said: str) -> None:
    for file in ("letter.txt", "rows.parquet"):
        (tmp_path / file).write_text(LETTER, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        redact.run(str(tmp_path / name), "", "", kinds, "")
    with pytest.raises(ValueError, match="is the file itself"):
        redact.run(str(tmp_path / "letter.txt"), str(tmp_path / "letter.txt"), "", [], "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt", "rows.parquet"]


def test_the_command_ends_with_0_and_with_2(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(LETTER, encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows", "data", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = run("redact", str(tmp_path / "letter.txt"), "--json", "--kind", "card")
    assert (done.returncode, json.loads(done.stdout)["kinds"]) == (0, {"card": 1})
    wrong = run("restore", str(tmp_path / "letter.txt"))
    assert (wrong.returncode, "give --key FILE" in wrong.stderr, "Traceback" in wrong.stderr) == (2, True, False)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for times in (1, 12):
        file = tmp_path / f"long{times}.txt"
        file.write_text((LETTER + "The board met. " * 400 + "\n") * 40 * times, encoding="utf-8")
        code = (
            "import resource, sys; from flows import redact; redact.run(sys.argv[1], '', '', ['card', 'iban'], ''); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        command = [sys.executable, "-c", code, str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 10, peaks  # MB; the files have 0.2 and 2.9 MB
