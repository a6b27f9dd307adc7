"""Pseudonyms: one name for one person within a key, none twice, all read back with the key, none without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.privacy import pseudonyms
from tasks.privacy.pseudonyms import NoKey, Pseudonyms, restored
from tasks.privacy.spans import Found

PERSON = Found(0, 1, "person", 0.9, "model")


def named(key: Path, values: list[str]) -> list[str]:
    with Pseudonyms(key) as book:
        return [book.name(PERSON, value) for value in values]


def test_ten_thousand_people_have_as_many_names_and_all_are_read_back(tmp_path: Path) -> None:
    people = [f"Person Number {number}" for number in range(10_000)]
    names = named(tmp_path / "key", people)
    assert len(set(names)) == 10_000
    text = "".join(restored(["; ".join(names)], dict(pseudonyms.table(tmp_path / "key"))))
    assert text == "; ".join(people)
    assert not any(b"Number" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_person_has_one_name_within_a_key_and_another_under_another(tmp_path: Path) -> None:
    first, again = named(tmp_path / "key", ["Anna Weber"]), named(tmp_path / "key", ["Anna Weber"])
    assert first == again
    assert named(tmp_path / "other", ["Anna Weber"]) != first
    assert len(list(pseudonyms.table(tmp_path / "key"))) == 1


def test_another_spelling_has_the_same_name_with_a_number_so_that_each_is_read_back(tmp_path: Path) -> None:
    spelled = ["Anna Weber", "ANNA  WEBER", "anna weber", "ANNA  WEBER"]
    names = named(tmp_path / "key", spelled)
    assert [name.rstrip("]").rpartition("/")[2] if "/" in name else "1" for name in names] == ["1", "2", "3", "2"]
    values = dict(pseudonyms.table(tmp_path / "key"))
    assert ["".join(restored([name], values)) for name in names] == spelled


def test_without_the_key_nothing_is_read_back_and_no_second_key_takes_its_place(tmp_path: Path) -> None:
    key = tmp_path / "key"
    named(key, ["Anna Weber"])
    key.unlink()
    with pytest.raises(NoKey, match="there is no key"):
        list(pseudonyms.table(key))
    with pytest.raises(NoKey, match="its table is left"):
        Pseudonyms(key)
    key.write_bytes(bytes(32))
    with pytest.raises(NoKey, match=r"line 1 of key\.table was not written with the key"):
        list(pseudonyms.table(key))


def test_a_row_of_the_table_under_another_name_is_seen(tmp_path: Path) -> None:
    one, other = named(tmp_path / "key", ["Anna Weber", "Ben Vogel"])
    table = tmp_path / "key.table"
    swapped = {one[1:-1]: other[1:-1], other[1:-1]: one[1:-1]}
    lines = table.read_text().splitlines()
    for name, to in swapped.items():
        lines[[one[1:-1], other[1:-1]].index(name)] = lines[[one[1:-1], other[1:-1]].index(name)].replace(name, to)
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(NoKey, match="was not written with the key"):
        list(pseudonyms.table(tmp_path / "key"))


def test_a_key_is_readable_by_its_owner_alone_and_two_writers_do_not_meet(tmp_path: Path) -> None:
    with Pseudonyms(tmp_path / "key"):
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        with pytest.raises(NoKey, match="another run writes names"):
            Pseudonyms(tmp_path / "key")


def test_a_name_that_two_pieces_share_is_read_back(tmp_path: Path) -> None:
    (name,) = named(tmp_path / "key", ["Anna Weber"])
    values = dict(pseudonyms.table(tmp_path / "key"))
    for cut in range(len(name) + 1):
        assert "".join(restored(["so " + name[:cut], name[cut:] + " says"], values)) == "so Anna Weber says"
