"""A version that was let in, for processes that answer without a model: the log keeps answers of no other."""

from __future__ import annotations

from pathlib import Path

import registry

DIGEST = "65ef887d977dcfacb3695f488f09a67f6da77607f37e3a00223cf71772dc4fa7"  # of that version, of whatever task


def let_in(book: registry.Registry, task: str, home: Path) -> registry.Version:
    """The first version of a task, made of two empty documents and approved; the same one each time."""
    for name in ("head", "report"):
        (home / "let_in" / name).mkdir(parents=True, exist_ok=True)
        (home / "let_in" / name / f"{name}.json").write_text("{}", encoding="utf-8")
    folders = [home / "let_in" / name for name in ("head", "report")]
    version = registry.register(
        book, task, folders[0], folders[1], {"verdict": "accepted"}, f"let in {task}", lambda *_: ()
    )
    return registry.approve(book, version.ref, "A. Tester", "it holds nothing", automatic=True)
