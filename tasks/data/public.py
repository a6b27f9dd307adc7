"""Public data sets by name: the licence first, then the files, each held to the digest it is pinned to.

`catalogue.json` says where each set lies, file by file, with size and sha256. A set appears under its folder whole or
not at all. Nothing is fetched that the catalogue does not name, redirects are not followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from pydantic import Field, ValidationError

from tasks.task import Section

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all
LIMIT_SECONDS = 60.0
LARGEST_RATIO = 100  # unpacked to packed; beyond that an archive is a trap


class FetchError(ValueError):
    """A public data set could not be had; the sentence says why and what to do."""


class LicenceNotAccepted(FetchError):
    """The licence of a data set was shown and not yet accepted."""


class File(Section):
    """One file: where it lies under its base, how large it may be, its digest. `keep`: the JSON keys that are kept."""

    path: str
    bytes: int
    sha256: str = Field(pattern="[0-9a-f]{64}")
    keep: tuple[str, ...] = ()


class Source(Section):
    """Files under one base address: path in the data set's folder -> file. `archive` is a zip that is unpacked."""

    base: str
    files: Mapping[str, File] = Field(default_factory=dict)
    archive: File | None = None


class Entry(Section):
    """One data set as the catalogue names it."""

    folder: str = Field(pattern="[a-z0-9_]+")
    about: str
    licence: str
    licence_url: str
    terms: str
    cite: str
    sources: tuple[Source, ...]


def read_catalogue(path: Path | None = None) -> dict[str, Entry]:
    """Every data set that can be fetched, by name. Raises FetchError where the catalogue cannot be read."""
    place = path or Path(__file__).with_name("catalogue.json")
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        return {name: Entry.model_validate(entry) for name, entry in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise FetchError(
            f"the catalogue {str(place)!r} cannot be read ({why}); take the one that comes along"
        ) from error


def get(
    name: str,
    accepted: bool,
    into: Path,
    catalogue: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fetch one data set to `into`/<its folder>, so that `data.root` may be `into`.

    Gives {"name", "folder", "licence", "licence_url", "files", "digest"}. A set that is there already is only checked.

    Raises LicenceNotAccepted, whose words show the licence, until accepted; FetchError for an unknown name, an address
    that does not answer, a wrong size or digest, an archive that leaves its folder. Nothing stays behind then.
    """
    entry = _entry(name, read_catalogue(catalogue))
    if not accepted:
        raise LicenceNotAccepted(
            f"{name}: {entry.about} Licence: {entry.licence} ({entry.licence_url}). {entry.terms} "
            f"If you accept it, run `data get {name} --accept-licence`"
        )
    target = into / entry.folder
    if not target.exists():
        into.mkdir(parents=True, exist_ok=True)
        with _scratch(into) as scratch:
            _download(entry, scratch, progress or _silent)
            _note(name, entry, scratch)
            scratch.rename(target)
    files = _check(name, entry, target)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    said = {"name": name, "folder": str(target), "licence": entry.licence, "licence_url": entry.licence_url}
    return {**said, "files": len(files), "digest": digest}


def _entry(name: str, known: Mapping[str, Entry]) -> Entry:
    if name not in known:
        raise FetchError(f"there is no public data set {name!r}; there are {', '.join(sorted(known))}")
    return known[name]


def _silent(_done: int, _all: int) -> None:
    return None


@contextlib.contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    """A folder beside the target, on the same disk, that is gone afterwards unless it was renamed."""
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=into))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(entry: Entry, scratch: Path, progress: Progress) -> None:
    wanted = [
        (source.base, name, file)
        for source in entry.sources
        for name, file in [*source.files.items(), *([] if source.archive is None else [("", source.archive)])]
    ]
    done, total = 0, sum(file.bytes for _, _, file in wanted)
    with httpx.Client(timeout=LIMIT_SECONDS, follow_redirects=False) as client:
        for base, name, file in wanted:
            data = _bytes(client, base + quote(file.path), file)
            if name:
                place = _inside(scratch, name)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            else:
                _unpack(data, scratch)
            done += file.bytes
            progress(done, total)


def _bytes(client: httpx.Client, url: str, file: File) -> bytes:
    """The bytes at an address, no more than the catalogue says, and only if they have its digest."""
    _check_address(url)
    parts: list[bytes] = []
    room = file.bytes
    try:
        with client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise FetchError(f"{url} answered {answer.status_code}, not 200; try again later, or see its page")
            for part in answer.iter_bytes():
                room -= len(part)
                if room < 0:
                    raise FetchError(
                        f"{url} gives more than the {file.bytes} bytes it should; the file was changed there"
                    )
                parts.append(part)
    except httpx.HTTPError as error:
        raise FetchError(
            f"{url} cannot be reached ({error}); look at the network, then run the same command"
        ) from error
    data = _kept(url, b"".join(parts), file)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise FetchError(
            f"{url} has the digest {found}, not the pinned {file.sha256}; the file was changed there, do not use it"
        )
    return data


def _check_address(url: str) -> None:
    """Refuse anything but https; plain http only on this machine itself (a mirror of one's own, a test)."""
    parts = urlsplit(url)
    with contextlib.suppress(ValueError):
        if parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback:
            return
    if parts.scheme != "https":
        raise FetchError(f"{url} is not https; the catalogue must name an https address")


def _kept(url: str, data: bytes, file: File) -> bytes:
    """The whole file, or of a JSON object the keys that are kept, as canonical JSON."""
    if not file.keep:
        return data
    try:
        found = json.loads(data)
        kept = {key: found[key] for key in file.keep}
    except (ValueError, KeyError, TypeError) as error:
        raise FetchError(f"{url} is not the JSON it should be ({error}); the file was changed there") from error
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _inside(folder: Path, name: str) -> Path:
    """A path under `folder`; refused where the name would leave it."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name:
        raise FetchError(
            f"the file name {name!r} leaves the data set's folder; the archive or catalogue is not to be trusted"
        )
    return folder / path


def _unpack(data: bytes, folder: Path) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise FetchError(f"the archive is no zip file ({error}); the catalogue names the wrong file") from error
        members = [member for member in archive.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members) > LARGEST_RATIO * max(len(data), 1):
            raise FetchError(
                f"the archive unpacks to more than {LARGEST_RATIO} times its size; it is not to be trusted"
            )
        for member in members:  # all are judged before one is written
            _inside(folder, member.filename)
            _check_plain(member)
        for member in members:
            place = _inside(folder, member.filename)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(member))


def _check_plain(member: zipfile.ZipInfo) -> None:
    """Refuse links and devices: the upper half of a zip's attributes is the Unix mode."""
    kind = (member.external_attr >> 16) & 0o170000
    if kind not in {0, 0o100000}:
        raise FetchError(f"the archive's member {member.filename!r} is a link or a device; it is not to be trusted")


def _note(name: str, entry: Entry, folder: Path) -> None:
    """Leave the licence beside the data."""
    said = {"name": name, "about": entry.about, "licence": entry.licence, "licence_url": entry.licence_url}
    said |= {"terms": entry.terms, "cite": entry.cite, "from": ", ".join(source.base for source in entry.sources)}
    text = json.dumps(said, sort_keys=True, indent=1, ensure_ascii=False)
    (folder / "SOURCE.json").write_text(text + "\n", encoding="utf-8")


def _check(name: str, entry: Entry, folder: Path) -> dict[str, str]:
    """Hold a folder that is there against the catalogue; give its files with their digests."""
    pinned = {place: file.sha256 for source in entry.sources for place, file in source.files.items()}
    for place, digest in pinned.items():
        path = folder / place
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none"
        if found != digest:
            raise FetchError(
                f"{str(path)!r} has the digest {found}, not {digest}; remove {str(folder)!r} and get {name} again"
            )
    archived = (p for p in sorted(folder.rglob("*")) if p.is_file() and any(s.archive for s in entry.sources))
    return pinned or {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in archived}
