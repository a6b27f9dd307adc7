"""Two toy tasks, one of words and one of numbers, and a world that is killed after some checkpoints."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from tasks.classical.bag_of_words import tfidf_logistic
from tasks.classical.table import logistic_table
from tasks.data.section import TaskSection
from tasks.task import Feature, Head, Inputs, Item, Metric, Rows, Task

LENGTH = 16


def toy(name: str, head: Head, classical: object, **shape: object) -> Task:
    return Task(
        name=name, summary="", reads=("text", "table", "series"), needs=(), head=head, section=TaskSection, item=Item,
        answer=BaseModel, sources={}, target=lambda value: [value], encode=lambda items: Inputs(np.arange(len(items))),
        decode=lambda item, raw: {}, classical=classical, metric=Metric("none", lambda rows, raw: lambda w: 0.0), example={},
        **shape,
    )  # fmt: skip


WORDS = toy("words", Head("classify", ("down", "up")), tfidf_logistic(Head("classify", ("down", "up"))))
NUMBERS = toy(
    "numbers", Head("score", ("event",)), logistic_table(Head("score", ("event",))),
    features=(Feature("a", "g"), Feature("b", "g")), channels=("x",), length=LENGTH,
)  # fmt: skip


def words(rows: int, seed: int) -> Rows:
    """The order of two words decides, which a bag of words cannot see: pairs are therefore left out of the baseline's reach."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    filler = np.array(["market", "share", "price", "quarter", "income"])
    texts = []
    for up in label:
        first, last = ("rose", "fell") if up else ("fell", "rose")
        noise = [" ".join(rng.choice(filler, int(rng.integers(1, 4)))) for _ in range(2)]
        texts.append(f"{noise[0]} {first} {noise[1]} {last}")
    return labelled(Inputs(np.arange(rows), text=tuple(texts)), label)


def numbers(rows: int, seed: int) -> Rows:
    """The product of two columns decides, which a scorecard cannot see."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 2))
    series = rng.normal(size=(rows, 1, LENGTH))
    return labelled(Inputs(np.arange(rows), table=table, series=series), table.prod(axis=1) > 0)


def labelled(inputs: Inputs, label: np.ndarray) -> Rows:
    count = len(inputs)
    day = np.full(count, np.datetime64("2024-01-02", "us"))
    names = np.array([f"r{i}" for i in range(count)])
    blank = np.full(count, "", dtype=np.str_)
    return Rows(tuple(names.tolist()), inputs, label.astype(np.float64)[:, None], day, day, names, blank)


@dataclass
class Shelf:
    """A world of one that keeps checkpoints in a folder, and is killed after `deaths` of them."""

    folder: Path
    deaths: int = 10**9
    kept: list[Path] = field(default_factory=list)
    rank, size, device = 0, 1, "cpu"

    def report(self, metrics: dict, folder: Path | None) -> None:
        place = self.folder / f"{len(self.kept)}"
        shutil.copytree(folder, place)
        self.kept.append(place)
        if len(self.kept) == self.deaths:
            raise ProcessLookupError("killed")

    def resume(self) -> list[Path]:
        return self.kept[::-1]


def files(config: dict) -> dict[str, bytes]:
    out = Path(config["out"])
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def weights_of(config: dict) -> dict[str, bytes]:
    return {name: content for name, content in files(config).items() if name.endswith(".safetensors")}
