"""`./assay keys` in this process, and what the other commands sign with; mistakes are told in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import registry
import tasks
from flows import commands, doctor, keys, moves, verify
from flows import release as releasing
from flows.__main__ import parser
from infra.settings import Settings

COMMANDS = {"keys": keys.keys, "promote": moves.promote, "rollback": moves.rollback, "revoke": moves.revoke}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASSAY_DATABASE_URL", "ASSAY_ARTIFACTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def book(home: Path) -> Iterator[registry.Registry]:
    opened = registry.open_registry(Settings().database, Settings().artifacts)
    yield opened
    registry.close(opened)


@pytest.fixture
def run(home: Path, capsys: Any) -> Callable[..., Any]:
    def call(*words: str) -> Any:
        command = COMMANDS.get(words[0]) or getattr(commands, words[0].replace("-", "_"))
        assert command(parser().parse_args([*words, "--json"])) == 0
        return json.loads(capsys.readouterr().out)

    return call


def made(book: registry.Registry, home: Path, number: int) -> str:
    for name in ("model", "report"):
        (home / f"{name}{number}").mkdir()
        (home / f"{name}{number}" / "it.json").write_text(str(number))
    folders = home / f"model{number}", home / f"report{number}"
    return registry.register(book, "risk", *folders, {"verdict": "accepted"}, f"k{number}", lambda *_: ()).ref


def test_verdicts_and_moves_are_signed_by_the_keys_of_this_home_once_there_are_persons(home, book, run) -> None:
    first = made(book, home, 1)
    assert run("approve", first, "--as", "A. Person", "--reason", "read")["signature"] == "unsigned"
    run("promote", first)
    assert doctor._keys(Settings()).startswith("no persons: approvals are unsigned, until ./assay keys init")
    new = run("keys", "init", "A. Person", "--role", "validator")
    assert new["roles"] == ["admin", "validator"] and Path(new["file"]).stat().st_mode & 0o777 == 0o600
    assert (home / "keys" / "root.pub").read_text().strip() == new["key"]
    assert doctor._keys(Settings()) == "1 persons, here the keys of A. Person; unsigned: risk@1, approve again"
    with pytest.raises(ValueError, match="give --as NAME, an operator whose key lies in"):
        run("rollback", "risk")
    run("keys", "add", "B. Person", "--role", "operator", "--role", "author", "--as", "A. Person")
    second = made(book, home, 2)
    assert releasing.asks_persons(book, second), "no recipe approves it"
    shown = run("approve", second, "--as", "A. Person", "--reason", "read", "--until", "2999-12-31")
    assert (shown["until"], shown["signature"][:33]) == (
        "3000-01-01T00:00:00.000000Z",
        "signed by A. Person as validator,",
    )
    assert run("promote", second)["aliases"] == ["champion"]
    assert run("rollback", "risk", "--as", "B. Person")["number"] == 1
    assert keys.author(book, "", "r1", "d")["author"] == "B. Person"
    assert verify.verified(book, None)["ok"]


def test_a_key_that_is_changed_or_missing_is_told_with_the_cure(home, book, run) -> None:
    run("keys", "init", "A. Person", "--role", "validator")
    old = run("keys", "list")["persons"][0]
    new = run("keys", "rotate", "A. Person")
    listed = run("keys", "list")["persons"]
    assert [(each["key"], each["until"] is None, each["here"]) for each in listed] == [
        (old["key"], False, True),
        (new["key"], True, True),
    ]
    first = made(book, home, 1)
    Path(new["file"]).rename(home / "elsewhere")
    with pytest.raises(ValueError, match=r"the key of A. Person is not in .*keys/people: put its file there"):
        run("approve", first, "--as", "A. Person", "--reason", "read")
    with pytest.raises(RuntimeError, match=r"no key of a person in force lies in .* Cure: put yours there"):
        doctor._keys(Settings())
    (home / "elsewhere").rename(Path(new["file"]))
    Path(new["file"]).chmod(0o644)
    with pytest.raises(ValueError, match="others may read the key"):
        doctor._keys(Settings())


def test_a_home_takes_no_registry_with_another_first_admin(home, book, run) -> None:
    run("keys", "init", "A. Person")
    (home / "keys" / "root.pub").write_text("ab" * 32)
    with pytest.raises(RuntimeError, match=r"whose first admin has the key abababab\.\.\., and this one has"):
        doctor._keys(Settings())
    document = verify.verified(book, None)
    assert not document["ok"] and document["failures"][0]["what"] == "signature"
    with pytest.raises(ValueError, match=r"where that is meant, delete .*root\.pub"):
        run("keys", "add", "B. Person", "--role", "author", "--as", "A. Person")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("keys", "init"), "keys init needs the NAME of a person"),
        (("keys", "init", "recipe"), "'recipe' is the name of a part of Assay"),
        (("keys", "init", "A. Person", "--role", "boss"), "'boss' is no role"),
        (("keys", "add", "B. Person", "--role", "author"), "keys add needs --as NAME"),
        (("keys", "add", "B. Person", "--role", "author", "--as", "C"), "'C' is no person in force in this registry"),
        (("keys", "retire", "B. Person"), "there are nobody; ./assay keys init NAME begins"),
        (("keys", "init", "A", "--public", "/nowhere"), "leave --public out"),
        (("approve", "risk@1", "--as", "A", "--reason", "x", "--until", "soon"), "is neither a day, as 2027-03-31"),
        (("approve", "risk@1", "--as", "A", "--reason", "x", "--until", "2027-03-31T10:00"), "has no zone"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_and_leaves_no_key(home, book, run, words, sentence) -> None:
    with pytest.raises(ValueError) as told:
        run(*words)
    assert sentence in str(told.value)
    assert list(home.rglob("*.pem")) == []


def test_a_card_says_what_is_material_and_says_it_rightly(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "card", lambda name: f"# {name}\n\nmaterial = {name}\n")
    assert tasks.material("true") is True
    assert tasks.material("false") is False
    with pytest.raises(tasks.BrokenTask, match="write material = true, or false"):
        tasks.material("yes")
