"""Which files a source is: one, a folder or zip archive of parts, or all that a pattern matches."""

from __future__ import annotations

import glob
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tasks.task import DataError

LARGEST = 1 << 34  # bytes of a file; it is read in pieces
UNPACKED = 1 << 31  # bytes that the members of an archive may have together
MOST_PARTS = 10_000
KINDS = {
    ".csv": ".csv",
    ".tsv": ".csv",
    ".jsonl": ".jsonl",
    ".ndjson": ".jsonl",
    ".parquet": ".parquet",
    ".pq": ".parquet",
}
FOREIGN = {  # the first bytes of what must not be read, whatever its name says
    b"PK\x03\x04": "a zip archive (also .pt, .npz, .xlsx)",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a workbook of old Excel",
}


@dataclass(frozen=True)
class Part:
    """One file among those that a source is. `extra` are columns that its folder's name carries (year=2024)."""

    name: str
    kind: str
    open: Callable[[], BinaryIO]
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name without folder and ending."""
        return PurePosixPath(self.name).stem


def parts_of(path: str) -> tuple[Part, ...]:
    """Every file of a source, in the order of their names. Raises DataError for what is no such file."""
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise DataError(f"{path} is an address, not a file: download it, check it, and give its path")
    place = Path(path)
    if place.is_symlink():
        raise DataError(f"{path} is a symbolic link: give the path of the file itself ({place.readlink()})")
    if place.is_dir():
        return _folder(place)
    if not place.exists() and glob.has_magic(path):
        return _pattern(path)
    if place.suffix.lower() == ".zip" and place.is_file():
        return _archive(place)
    return (_file(path, place),)


def _file(path: str, place: Path) -> Part:
    """One plain file of an allowed kind."""
    if not place.is_file():
        raise DataError(f"{path} is not there, or is no plain file: give the path of a .csv, .jsonl or .parquet file")
    if place.stat().st_size > LARGEST:
        raise DataError(f"{path} has {place.stat().st_size} bytes, more than {LARGEST}: split it, or sample it")
    part = Part(path, KINDS.get(place.suffix.lower(), ""), partial(_open, place))
    _require_plain(part, place.suffix)
    return part


def _open(place: Path) -> BinaryIO:
    return place.open("rb")


def _require_plain(part: Part, suffix: str) -> None:
    """Refuse an empty file, an unknown ending, and what only bears a known one."""
    with part.open() as stream:
        start = stream.read(4096)
        while start and not start.strip():
            start = stream.read(1 << 20)
    if not start:
        raise DataError(f"{part.name} is empty: give it a header and rows")
    kind = next((name for magic, name in FOREIGN.items() if start.startswith(magic)), None)
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        kind = "a pickle, which can run code"
    if kind:
        raise DataError(f"{part.name} is {kind}: export it as .csv, .jsonl or .parquet")
    if not part.kind:
        raise DataError(f"{part.name} has the ending {suffix!r}: give a .csv, .jsonl or .parquet file")


def _same_kind(path: str, found: tuple[Part, ...]) -> tuple[Part, ...]:
    kinds = sorted({part.kind for part in found})
    if len(kinds) > 1:
        raise DataError(f"{path} holds files of {len(kinds)} kinds ({', '.join(kinds)}): keep one kind there")
    if len(found) > MOST_PARTS:
        raise DataError(f"{path} holds {len(found)} files, more than {MOST_PARTS}: join them")
    return found


def _folder(place: Path) -> tuple[Part, ...]:
    """The Parquet parts of a data-set folder; names that begin with _ or . are marks of whoever wrote it."""
    found = []
    for file in sorted(place.rglob("*")):
        inside = file.relative_to(place).parts
        if not file.is_file() or file.suffix.lower() not in KINDS or any(name[0] in "_." for name in inside):
            continue
        if file.is_symlink():
            raise DataError(f"{file} is a symbolic link: give the folder the file itself ({file.readlink()})")
        carried = dict(name.split("=", 1) for name in inside[:-1] if "=" in name)
        part = _file(str(file), file)
        found.append(Part(part.name, part.kind, part.open, carried))
    if not found:
        raise DataError(f"{place} is a folder without a .parquet, .csv or .jsonl part: give the path of a file")
    return _same_kind(str(place), tuple(found))


def _pattern(path: str) -> tuple[Part, ...]:
    """The files that a pattern matches."""
    found = sorted(name for name in glob.glob(path, recursive=True) if Path(name).is_file())  # noqa: PTH207
    if not found:
        raise DataError(f"{path} matches no file: give a pattern such as prices/*.csv, in quotes")
    for name in found:
        if Path(name).is_symlink():
            raise DataError(f"{name} is a symbolic link: give the path of the file itself ({Path(name).readlink()})")
    return _same_kind(path, tuple(_file(name, Path(name)) for name in found))


def _archive(place: Path) -> tuple[Part, ...]:
    """The members of a zip archive that are data: Parquet parts, or one text file. They are read where they lie."""
    try:
        with zipfile.ZipFile(place) as archive:
            held = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{place} is no readable zip archive ({error}): pack it again, or unpack it") from error
    data = [info for info in held if not any(name[:1] in ("_", ".") for name in PurePosixPath(info.filename).parts)]
    kinds = {info.filename: KINDS.get(PurePosixPath(info.filename).suffix.lower(), "") for info in data}
    if not data or not all(kinds.values()) or (len(data) > 1 and set(kinds.values()) != {".parquet"}):
        shown = ", ".join(list(kinds)[:5]) or "no file"
        raise DataError(f"{place} holds {shown}: pack one .csv or .jsonl file, or Parquet parts alone")
    size = sum(info.file_size for info in data)
    if size > UNPACKED or any(info.flag_bits & 1 for info in data):
        why = "with a password" if size <= UNPACKED else f"of {size} bytes unpacked, more than {UNPACKED}"
        raise DataError(f"{place} is an archive {why}: unpack it, and give the path of the file or folder")
    found = []
    for info in sorted(data, key=lambda info: info.filename):
        inside = PurePosixPath(info.filename).parts[:-1]
        carried = dict(name.split("=", 1) for name in inside if "=" in name)
        part = Part(f"{place}/{info.filename}", kinds[info.filename], partial(_member, place, info), carried)
        _require_plain(part, "")
        found.append(part)
    return _same_kind(str(place), tuple(found))


def _member(place: Path, info: zipfile.ZipInfo) -> BinaryIO:
    """One member in memory, never more than it is said to have."""
    try:
        with zipfile.ZipFile(place) as archive, archive.open(info) as stream:
            content = stream.read(info.file_size + 1)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise DataError(f"{place}/{info.filename} cannot be unpacked ({error}): pack it again") from error
    if len(content) > info.file_size:
        raise DataError(f"{place}/{info.filename} is longer than the archive says: pack it again")
    return io.BytesIO(content)
