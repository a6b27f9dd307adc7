"""A version learned from rows with planted people, and where of them anything can be read afterwards."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import recipe
from interpret.report import stage
from tasks import get
from tasks.data.prepare import prepare
from tasks.task import Place
from tasks.train import loop
from tasks.validate import evaluate

ROWS, EVERY = 360, 6  # rows of the file, and how many of them hold nobody between two that do
RECIPE: Mapping[str, Any] = {
    "backbone": {"name": "tiny-bert"},
    "lora": {"rank": 2, "layers": "all"},
    "train": {"epochs": 1},
    "validate": {"draws": 100},
    "explain": {"cases": 6, "rows": 8, "budget": 128},
}


@dataclass(frozen=True)
class Planted:
    """An invented person, with an account and ways to be reached; each word of it stands nowhere else."""

    first: str
    last: str
    iban: str
    phone: str
    email: str

    @property
    def words(self) -> tuple[str, ...]:
        """What must be read nowhere, in small letters."""
        bare = self.iban.replace(" ", "")
        return self.first.lower(), self.last.lower(), bare.lower(), bare[4:], self.phone.replace(" ", ""), self.email


PEOPLE = (
    Planted("Zebulon", "Quartermaine", "DE44 5001 0517 5407 3249 31", "030 1234567", "zeb.q@example.com"),
    Planted("Ottilie", "Vandersloot", "GB82 WEST 1234 5698 7654 32", "0171 9876543", "ottilie@example.org"),
    Planted("Hrothgar", "Pemblebrook", "FR14 2004 1010 0505 0001 3M02 606", "040 5556677", "hp77@example.net"),
)


def write_rows(path: Path) -> None:
    """A file of sentiment whose every sixth row is a complaint of somebody, who is its id too."""
    rows, dice = get("sentiment").sources["embedded"].read(Place(None, 7)), random.Random(3)
    texts = rows.inputs.text or ()
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("id", "text", "target"))
        for at in range(ROWS):
            label = ("negative", "neutral", "positive")[int(rows.target[at, 0])]
            if at % EVERY:
                out.writerow((f"row {at}", texts[at], label))
                continue
            one = PEOPLE[dice.randrange(len(PEOPLE))]
            said = f"{one.first} {one.last} (account {one.iban}, phone {one.phone}, {one.email}) complains: {texts[at]}"
            out.writerow((f"{at} {one.email}", said, label))


def learn(folder: Path, privacy: Mapping[str, Any] | None = None) -> None:
    """The file, and a version of it with its report, in models/ and reports/ of a folder; `privacy` is its section."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "complaints.csv")
    plan = recipe.parse(
        {**RECIPE, "privacy": privacy or {}, "tasks": {"sentiment": {"source": str(folder / "complaints.csv")}}}
    )
    name, data = "sentiment", folder / "data" / "sentiment"
    section = plan.tasks[name].model_dump(mode="json")
    splits = plan.validation.splits.model_dump(mode="json")
    card = prepare(name, section, plan.data.model_dump(mode="json"), plan.train.seed, str(data), splits)
    rows = {side: str(data / f"{side}.parquet") for side in ("train", "valid", "test")}
    parts = {part: getattr(plan, part).model_dump(mode="json") for part in ("backbone", "lora", "train", "privacy")}
    loop.fit(
        {
            **parts,
            "tasks": {name: {"section": section, "train": rows["train"], "valid": rows["valid"]}},
            "states": {"folder": str(folder / "states"), "gigabytes": 1.0},
            "out": str(folder / "models"),
        }
    )
    evaluate.evaluate(
        {
            "recipe": recipe.canonical(plan),
            "validate": plan.validation.model_dump(mode="json"),
            "tasks": {name: {"model": str(folder / "models" / name), **rows, "card": card}},
            "threads": plan.train.threads,
            "seed": plan.train.seed,
        }
    )
    stage.explain(
        {
            "tasks": {name: {"model": str(folder / "models" / name), "data": str(data)}},
            "explain": plan.explain.model_dump(mode="json"),
            "reports": str(folder / "reports"),
            "seed": plan.train.seed,
            "threads": plan.train.threads,
            "lineage": {"run": folder.name, "data": {name: card["fingerprint"]}, "code": "0" * 40},
        }
    )


def found(places: Sequence[Path]) -> list[str]:
    """Which word of which planted person stands in which file, also without the blanks in it."""
    told = []
    for place in places:
        for file in sorted(path for path in place.rglob("*") if path.is_file()):
            held = file.read_bytes().lower()
            bare = held.replace(b" ", b"").replace(b"&#160;", b"")
            for one in PEOPLE:
                told += [f"{file.name}: {word}" for word in one.words if word.encode() in held or word.encode() in bare]
    return told


def row(folder: Path) -> dict[str, Any]:
    """The case `leaks` of `./assay bench privacy`."""
    learn(folder)
    told = found([folder / "models", folder / "reports"])
    return {
        "case": "leaks", "ours": len(told), "peer": None, "peer_name": None, "ratio": None,
        "unit": "words of planted people in the files of a version and its report", "found": told[:20],
        "rows": ROWS, "bar": "none", "pass": not told,
    }  # fmt: skip
