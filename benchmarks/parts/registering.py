"""Our registry under the same calls as the peer's.

python -m benchmarks.parts.registering DATABASE_URL FOLDER COUNT PROCESSES prints one JSON document.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import registry
from benchmarks.parts.forked import at_once, timed

FACTS = {"verdict": "accepted", "metric": "auc", "value": 0.75}
FILES = ("adapter_config", "head", "calibration", "data", "recipe", "training", "metrics")


def main(url: str, place: Path, count: int, processes: int) -> dict[str, Any]:
    """Measure: {"register", "promote", "champion"} or {"concurrent"}; files are in the store but for the first call."""
    folders = place / "model", place / "report"
    for folder, names in zip(folders, (FILES, ("report",)), strict=True):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.json").write_text(json.dumps({"name": name, "text": "x" * 2000}), encoding="utf-8")

    def opened() -> registry.Registry:
        return registry.open_registry(url, f"file://{place}/artifacts")

    def register(book: registry.Registry, number: int) -> int:
        return registry.register(book, "risk", *folders, FACTS, f"run/{number}", lambda *_: ()).number

    if processes:
        registry.close(opened())
        return {"concurrent": at_once(lambda number: register(opened(), number), processes)}
    book = opened()

    def let_in(number: int) -> None:
        registry.approve(book, f"risk@{number + 1}", "A. Person", "the lift holds")
        registry.promote(book, f"risk@{number + 1}")

    return {
        "register": timed(lambda number: register(book, number), count),
        "promote": timed(let_in, count),
        "champion": timed(lambda _: registry.show(book, "risk@champion"), count),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
