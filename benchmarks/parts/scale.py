"""Ten times the rows: how time and anonymous memory of one training job grow. The text is synthetic and fresh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.parts.field import Field, ours
from benchmarks.parts.process import Took
from flows import console
from tasks.data import grammar
from tasks.data.parquet import save_rows
from tasks.sentiment import source

ROWS = 2000
VALID = 500
FIXED = {"epochs": 1, "sweep": [], "checks_per_epoch": 1, "patience": 1000}  # nothing stops early


def rows_x10(ground: Field) -> list[dict[str, Any]]:
    """The growth of both figures from 2,000 to 20,000 sentences of our own grammar, fixed epochs."""
    small, large = (_job(ground, count) for count in (ROWS, 10 * ROWS))
    console.say(
        f"bench     rows x 10: {small.seconds:.0f} -> {large.seconds:.0f} s, {small.mb:.0f} -> {large.mb:.0f} MB"
    )
    none = {"peer": None, "peer_name": None, "ratio": None}
    time, memory = large.seconds / small.seconds, large.mb / small.mb
    return [
        {"case": "rows_x10_seconds", "ours": round(time, 2), "unit": "times the seconds", "pass": time <= 10.5, **none},
        {"case": "rows_x10_memory", "ours": round(memory, 3), "unit": "times the MB", "pass": memory <= 1.1, **none},
    ]


def _job(ground: Field, count: int) -> Took:
    folder = ground.folder / f"rows-{count}"
    place = folder / "data" / "sentiment"
    place.mkdir(parents=True)
    rules = grammar.read(Path(source.__file__).parent / "train.txt")
    for side, size, seed in (("train", count, 1), ("valid", VALID, 2)):
        shares: dict[tuple[str, ...], int] = {(label,): round(size * share) for label, share in source.SHARES.items()}
        made = [(sample.text, sample.labels[0], "", side) for sample in grammar.write(rules, shares, seed)]
        save_rows(source.rows(made, f"synthetic-{side}"), place / f"{side}.parquet")
    return ours(Field(ground.plan, folder, ("sentiment",)), "job", train=FIXED)
