"""What leaves the registry answers elsewhere as it answers here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import registry
import tasks
from flows.__main__ import main
from infra.settings import Settings
from tasks.backbone import tiny
from tasks.model import forward, saved
from tests.serving.conftest import some_rows, write_model  # type: ignore[import-not-found]

TEXTS = [
    "Sales rose to 3 mn euro.",
    "The loss widened, and the board resigned.",
    "Chat says [SEP] and [MASK].",
    "word " * 400,
]


@dataclass(frozen=True)
class Home:
    """A home with versions on tiny bodies, and a folder for what leaves it."""

    book: registry.Registry
    models: Path
    out: Path

    def raw(self, name: str, texts: list[str]) -> Any:
        """What the text part of a version says."""
        model = saved.open_folders({name: self.models / name}, 1)
        rows = tasks.task.Inputs(owner=np.arange(len(texts)), text=tuple(texts))
        return forward.raw(model, name, rows, without=frozenset({"classical", "table", "series"}))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    root = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(root / "home"))
        book, report = registry.open_registry(*Settings().registry), root / "report"
        report.mkdir()
        (report / "report.json").write_text("{}")
        for name in ("sentiment", "volatility"):
            write_model(name, 1, some_rows(name), root / name)
            facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
            registry.register(book, name, root / name, report, facts, f"test/{name}", lambda *_: ())
        yield Home(book, root, root / "out")
        registry.close(book)


def test_the_code_of_the_card_gives_the_answer_of_the_text_part_by_peft_alone(home: Home, tmp_path: Path) -> None:
    assert main(["export", "sentiment@1", "--to", "hf", str(tmp_path / "hf"), "--json"]) == 0
    card = (tmp_path / "hf" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    tiny.tiny("bert").body.save_pretrained(tmp_path / "base")
    code = code.replace('FOLDER, BASE = ".", "tiny-bert"', f"FOLDER, BASE = {str(tmp_path / 'hf')!r}, 'base'")
    scope: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(code, scope)
    found = scope["raw"](TEXTS).numpy()
    assert np.abs(found - home.raw("sentiment", TEXTS)).max() < 1e-6
