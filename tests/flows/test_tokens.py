"""`./assay tokens` in this process: a secret is printed once, lists hide it, mistakes are told in a sentence."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

import registry
from flows import tokens
from flows.__main__ import parser
from infra.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASSAY_DATABASE_URL", "ASSAY_ARTIFACTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


def given(*words: str) -> argparse.Namespace:
    return parser().parse_args(["tokens", *words, "--json"])


def run(capsys: Any, *words: str) -> Any:
    assert tokens.tokens(given(*words)) == 0
    return json.loads(capsys.readouterr().out)


def test_a_secret_is_printed_once_and_stands_nowhere(home: Path, capsys: Any) -> None:
    new = run(capsys, "new", "--tenant", "bank", "--role", "operator", "--scope", "ask", "--days", "30")
    assert (new["tenant"], new["role"], new["scopes"], new["revoked"]) == ("bank", "operator", ["ask"], None)
    next_ = run(capsys, "rotate", new["id"])
    assert next_["replaces"] == new["id"] and next_["token"] != new["token"]
    run(capsys, "revoke", next_["id"])
    listed = run(capsys, "list")
    assert [(row["id"], row["state"]) for row in listed["tokens"]] == [(new["id"], "revoked"), (next_["id"], "revoked")]
    secrets = [each["token"].removeprefix("assay_") for each in (new, next_)]
    held = str(listed) + "".join(path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file())
    assert [secret for secret in secrets if secret in held] == []
    book = registry.open_registry(Settings().database, Settings().artifacts)
    assert {registry.hashed(each["token"]) for each in (new, next_)} == set(registry.api_keys(book).keys)
    registry.close(book)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("new",), "--role '' is no role; take one of viewer, operator, validator, admin"),
        (("new", "--role", "root"), "--role 'root' is no role"),
        (("new", "--role", "viewer", "--scope", "ask"), "--scope 'ask' is none of what viewer may do: metrics, read"),
        (("new", "--role", "viewer", "--tenant", "../x"), "'../x' is no tenant"),
        (("new", "--role", "viewer", "--days", "0"), "a key cannot live 0 days; give 1 to 3650"),
        (("new", "12345678", "--role", "viewer"), "tokens new takes no ID"),
        (("revoke",), "tokens revoke needs the ID of a key"),
        (("rotate", "12345678"), "there is no key '12345678'"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(home: Path, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValueError) as told:
        tokens.tokens(given(*words))
    assert sentence in str(told.value)
