"""A folder that leaves a registry, sealed: bundle.json names each file by digest and size, bundle.sig signs that.

It is opened in that order: the signature, then the list, then the bytes of each file, copied while they are counted
and hashed; nothing else of it is parsed before. The key in bundle.sig says who sealed it, and
not that anybody trusts it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry import evidence, installation, openssf, signing
from registry.database import Registry
from registry.digest import canonical, check_name, of_file, of_text
from registry.errors import Damaged, RegistryError
from registry.versions import fetch, show

LIST, SEAL, HISTORY = "bundle.json", "bundle.sig", "history.json"
FORM, SEAL_FORM = "assay bundle 1", "assay bundle seal 1"
FOLDERS = ("model", "report")
BESIDE = frozenset({"README.md", "bom.cdx.json", HISTORY, openssf.SIGNATURE, openssf.PUBLIC})
MOST_FILES = 1000
MOST_BYTES = {SEAL: 2_000, LIST: 1_000_000, HISTORY: 64_000_000}  # a body is never in it, an adapter small
MOST_EACH, MOST_ALL = 2_000_000_000, 4_000_000_000
PIECE = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle whose bytes are those that were sealed.

    folder  the copy that was checked
    key     the public key of the installation that sealed it
    digest  the sha256 of its list
    """

    folder: Path
    version: str
    key: str
    digest: str


def lay_out(registry: Registry, ref: str, folder: Path) -> dict[str, Any]:
    """Bring a version's files and its evidence to an empty folder, and give the evidence. Raises as `fetch`."""
    version = show(registry, ref)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        for name, files in fetch(registry, version, Path(scratch)).items():
            shutil.copytree(files, folder / name)
    found = evidence.told(registry, version.ref)
    (folder / HISTORY).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return found


def seal(registry: Registry, folder: Path, version: str) -> None:
    """Write the list and the signature of a folder. Raises RegistryError where this installation has no key."""
    key = None if registry.key is None else installation.read(registry.key)
    if key is None:
        raise RegistryError("this installation has no key to seal a bundle with; set ASSAY_HOME to a folder of yours")
    files = {name: {"bytes": path.stat().st_size, "sha256": of_file(path)} for name, path in _found(folder).items()}
    text = canonical({"form": FORM, "version": version, "files": files})
    (folder / LIST).write_text(text, encoding="utf-8")
    (folder / SEAL).write_text(_sealed(key, of_text(text)), encoding="utf-8")


def unseal(folder: Path, to: Path) -> Bundle:
    """Copy a bundle's files to `to`, each held against its digest on the way.

    Raises Damaged with the name of the file that is missing, changed, too large or not of the bundle.
    """
    found = _found(folder)
    for name in (SEAL, LIST):
        if name not in found:
            raise Damaged(f"{str(folder)!r} is no bundle: {name} is missing")
    key, digest = _seal(_read(folder, SEAL))
    content = _read(folder, LIST)
    if hashlib.sha256(content).hexdigest() != digest:
        raise Damaged(f"{LIST} is not what was sealed with this bundle; take the whole folder again")
    version, files = _list(content)
    strange = sorted(found.keys() ^ {*files, LIST, SEAL})
    if strange:
        what = "is not of this bundle" if strange[0] in found else "is missing in this bundle"
        raise Damaged(f"{strange[0]} {what}; take the whole folder again")
    for name, (size, sha256) in files.items():
        _copy(found[name], to / name, size, sha256, name)
    return Bundle(to, version, key, digest)


def _sealed(key: signing.Key, digest: str) -> str:
    said = {"form": SEAL_FORM, "digest": digest, "key": key.public}
    return canonical({**said, "signature": key.sign(said)})


def _seal(content: bytes) -> tuple[str, str]:
    """(key, digest of the list). The text must be written as it was, so that no byte of it counts for nothing."""
    wrong = f"{SEAL} does not hold: it was changed, or another key signed it; take the whole folder again"
    said = _json(content, SEAL)
    if set(said) != {"form", "digest", "key", "signature"} or canonical(said).encode() != content:
        raise Damaged(wrong)
    signature = said.pop("signature")
    if said["form"] != SEAL_FORM or not signing.holds(said["key"], said, signature):
        raise Damaged(wrong)
    return said["key"], said["digest"]


def _list(content: bytes) -> tuple[str, dict[str, tuple[int, str]]]:
    """The version, and size and digest of each file. Raises Damaged for a name that leaves the folder, and sizes."""
    said = _json(content, LIST)
    try:
        if said["form"] != FORM:
            raise Damaged(f"{LIST} is written as {said['form']!r}, this release reads {FORM!r}")
        files = {name: (each["bytes"], each["sha256"]) for name, each in said["files"].items()}
        version = str(said["version"])
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{LIST} is no list of files ({type(error).__name__}: {error})") from error
    for name, (size, sha256) in files.items():
        _check(name, size, sha256)
    total = sum(size for size, _ in files.values())
    if len(files) > MOST_FILES or total > MOST_ALL:
        raise Damaged(f"{LIST} names {len(files)} files of {total} bytes; {MOST_FILES} and {MOST_ALL} are the most")
    return version, files


def _check(name: str, size: Any, sha256: Any) -> None:
    if name not in BESIDE:
        try:
            check_name(name)
        except RegistryError as error:
            raise Damaged(f"{LIST} names a file that no bundle holds: {error}") from error
        if name.partition("/")[0] not in FOLDERS:
            raise Damaged(f"{LIST} names {name!r}, which no bundle holds; it lies in neither of {', '.join(FOLDERS)}")
    most = MOST_BYTES.get(name, MOST_EACH)
    if type(size) is not int or not 0 <= size <= most:
        raise Damaged(f"{name} has {size!r} bytes in {LIST}; {most} are the most")
    if not isinstance(sha256, str) or not signing.HEX.fullmatch(sha256):
        raise Damaged(f"{name} has the digest {sha256!r} in {LIST}, which is none")


def _copy(source: Path, target: Path, size: int, sha256: str, name: str) -> None:
    """Copy at most one byte more than is told; what is not the told bytes is not kept."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hashed, left = hashlib.sha256(), size
    with source.open("rb") as read, target.open("wb") as write:
        while piece := read.read(min(PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            hashed.update(piece)
            write.write(piece)
    if left or hashed.hexdigest() != sha256:
        target.unlink()
        raise Damaged(f"{name} is not what was sealed with this bundle; take the whole folder again")


def _found(folder: Path) -> dict[str, Path]:
    """The files of a folder by name. Raises Damaged for a link, a device, or too many."""
    if not folder.is_dir():
        raise RegistryError(f"there is no folder {str(folder)!r}; give the one that `export --to bundle` wrote")
    found: dict[str, Path] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Damaged(f"{name} is a link or no file; a bundle holds files alone")
        if path.is_file():
            found[name] = path
        if len(found) > MOST_FILES + 2:
            raise Damaged(f"{str(folder)!r} holds more than {MOST_FILES} files; it is no bundle")
    return dict(sorted(found.items()))


def _read(folder: Path, name: str) -> bytes:
    with (folder / name).open("rb") as file:
        content = file.read(MOST_BYTES[name] + 1)
    if len(content) > MOST_BYTES[name]:
        raise Damaged(f"{name} has more than {MOST_BYTES[name]} bytes")
    return content


def _json(content: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{name} is no JSON; take the whole folder again") from error
    if not isinstance(found, dict):
        raise Damaged(f"{name} is no JSON object; take the whole folder again")
    return found


def history(bundle: Bundle) -> dict[str, Any]:
    """The evidence of a bundle, whose bytes were checked."""
    return _json((bundle.folder / HISTORY).read_bytes(), HISTORY)
