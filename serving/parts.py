"""The parts of a file of answers: each is written whole or not at all, so that a killed run is taken up where it was.

`OUT.parts/` holds manifest.json (what is scored, and by what), and of each part its answers, its rejected rows and,
written last, its facts with the digests of both. The finished file is put together in the order of the numbers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from serving.sheets import ENDINGS, Format, rejected
from tasks.digest import of_bytes, of_file, read_json
from tasks.task import DataError

HEADER = b"row,reason\n"


@dataclass(frozen=True)
class Place:
    """Where the answers go. Raises DataError for an ending that is none of the three."""

    out: Path

    @property
    def form(self) -> Format:
        """How the file is written, by its ending."""
        if self.out.suffix.lower() not in ENDINGS:
            raise DataError(f"--out {self.out} has the ending {self.out.suffix!r}: write .csv, .jsonl or .parquet")
        return ENDINGS[self.out.suffix.lower()]

    @property
    def folder(self) -> Path:
        """The folder of the parts."""
        return self.out.with_name(self.out.name + ".parts")

    @property
    def rejected(self) -> Path:
        """The rows that have no answer."""
        return self.out.with_name(self.out.name + ".rejected.csv")

    def part(self, number: int, what: str) -> Path:
        """A file of one part; `what` is "answers", "rejected" or "json"."""
        ending = {"answers": self.out.suffix, "rejected": ".rejected.csv", "json": ".json"}[what]
        return self.folder / f"part-{number:05d}{ending}"


@dataclass(frozen=True)
class Batch:
    """What is scored: the same batch gives the same bytes. `run` and `started` tell this run from a later one of it."""

    version: str
    digest: str
    input: str
    rows_per_part: int
    form: str
    batch: str
    run: str = ""
    started: str = ""


@dataclass(frozen=True)
class Part:
    """One finished part: counts of its rows, and the digests of its two files."""

    rows: int
    answered: int
    answers: str
    rejected: str


def begin(place: Place, batch: Batch) -> Batch:
    """Start a run, or take up the one whose parts are there. Raises DataError where they are of another batch."""
    path = place.folder / "manifest.json"
    if path.is_file():
        held = Batch(**read_json(path))
        if {**asdict(held), "run": "", "started": ""} != asdict(batch):
            differs = next(n for n, value in asdict(batch).items() if value != asdict(held)[n])
            raise DataError(
                f"{place.folder} holds parts of another run (its {differs} is {asdict(held)[differs]!r}, not "
                f"{asdict(batch)[differs]!r}): remove the folder, or give another --out"
            )
        return held
    now = datetime.now(UTC).isoformat(timespec="seconds")
    started = Batch(**{**asdict(batch), "run": secrets.token_hex(4), "started": now})
    place.folder.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(asdict(started), indent=1).encode())
    return started


def there(place: Place) -> dict[int, Part]:
    """The parts that are whole: their facts are there, and both files have the digests that stand in them."""
    found = {}
    for path in sorted(place.folder.glob("part-*.json")):
        number, part = int(path.stem.removeprefix("part-")), Part(**read_json(path))
        files = {place.part(number, "answers"): part.answers, place.part(number, "rejected"): part.rejected}
        if all(file.is_file() and of_file(file) == digest for file, digest in files.items()):
            found[number] = part
    return found


def keep(place: Place, number: int, said: Mapping[str, Any], content: bytes) -> Part:
    """Write one part: answers and rejected rows first, its facts last."""
    wrong = rejected(said["rejected"])
    _write(place.part(number, "answers"), content)
    _write(place.part(number, "rejected"), wrong)
    part = Part(said["rows"], said["answered"], of_bytes(content), of_bytes(wrong))
    _write(place.part(number, "json"), json.dumps(asdict(part)).encode())
    return part


def reasons(place: Place, numbers: Sequence[int], most: int) -> list[str]:
    """The first rejected rows, as "row 7: why"."""
    lines: list[str] = []
    for number in numbers:
        text = place.part(number, "rejected").read_text(encoding="utf-8")
        lines += [f"row {line.replace(',', ': ', 1)}" for line in text.splitlines()[: most - len(lines)]]
        if len(lines) >= most:
            break
    return lines


def finish(place: Place, numbers: Sequence[int]) -> str:
    """Put the parts together, move the file into place and give its sha256. The parts stay until `clear`."""
    keep_rejected(place, numbers)
    with _whole(place.out) as file:
        paths = [place.part(number, "answers") for number in numbers]
        (_parquet if place.form == "parquet" else _lines)(file, paths, place.form)
    return of_file(place.out)


def keep_rejected(place: Place, numbers: Sequence[int]) -> None:
    """Put the rejected rows of all parts into one file; where there is none, an older such file goes."""
    rejects = [path for n in numbers if (path := place.part(n, "rejected")).stat().st_size]
    if not rejects:
        place.rejected.unlink(missing_ok=True)
        return
    with _whole(place.rejected) as file:
        file.write(HEADER)
        for path in rejects:
            file.write(path.read_bytes())


def clear(place: Place) -> None:
    """Remove the parts: the file is there and in the log."""
    shutil.rmtree(place.folder, ignore_errors=True)


def input_digest(paths: Sequence[Path]) -> tuple[str, int, int]:
    """Of all files together: sha256, bytes, and about how many rows (lines of text, or what Parquet says)."""
    digests, size, rows = [], 0, 0
    for path in paths:
        digest = hashlib.sha256()
        parquet = path.suffix.lower() in {".parquet", ".pq"}
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
                rows += 0 if parquet else block.count(b"\n")
        with contextlib.suppress(pa.ArrowException, OSError):
            rows += pq.ParquetFile(path).metadata.num_rows if parquet else 0
        digests.append(digest.hexdigest())
    return digests[0] if len(digests) == 1 else of_bytes("".join(digests).encode()), size, rows


def _lines(file: BinaryIO, paths: Sequence[Path], form: Format) -> None:
    for place, path in enumerate(paths):
        with path.open("rb") as part:
            if place and form == "csv":
                part.readline()  # each part has the header; the names of columns hold no line break
            shutil.copyfileobj(part, file, 1 << 20)


def _parquet(file: BinaryIO, paths: Sequence[Path], form: Format) -> None:
    """One row group a part."""
    with pq.ParquetWriter(file, pq.read_schema(paths[0]), compression="zstd") as writer:
        for path in paths:
            writer.write_table(pq.read_table(path))


def _write(path: Path, content: bytes) -> None:
    with _whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that is there with all its bytes, on disk, or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
