"""Files by their sha256 under one fsspec address. A name says its content: nothing is overwritten or trusted unread."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec

from registry.digest import canonical, check_name, manifest, of_file, of_text
from registry.errors import Damaged, RegistryError, RegistryUnreachable

FRESH = timedelta(hours=12)  # half of what collect keeps


@dataclass(frozen=True)
class Store:
    """A folder of an fsspec file system. `url` names it in messages, `variable` is the setting that holds it."""

    files: Any
    root: str
    url: str
    variable: str = "ASSAY_ARTIFACTS_URL"


def open_store(artifacts_url: str, variable: str = "ASSAY_ARTIFACTS_URL") -> Store:
    """The store at an fsspec address (file://, s3://, memory:// ...). Raises RegistryError where it is no address."""
    try:
        files, root = fsspec.core.url_to_fs(artifacts_url)
    except (ValueError, ImportError) as error:
        raise RegistryError(
            f"the artifact store {artifacts_url!r} cannot be opened ({error}); "
            f"give an address such as file:///folder or s3://bucket/folder in {variable}"
        ) from error
    return Store(files=files, root=root.rstrip("/"), url=artifacts_url, variable=variable)


def put_folder(store: Store, folder: Path) -> str:
    """Keep every file of a folder and its manifest; give the manifest's digest, which names the folder's content."""
    found = manifest(folder)
    with _reached(store):
        for name, digest in found.items():
            _put(store, folder / name, digest)
        text = canonical(found)
        digest = of_text(text)
        if not _is_there(store, digest, len(text.encode("utf-8"))):
            with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
                page = Path(scratch) / "manifest"
                page.write_text(text, encoding="utf-8")
                _put(store, page, digest)
    return digest


def read_manifest(store: Store, digest: str) -> dict[str, str]:
    """The files of a kept folder: path -> sha256. The bytes are checked against `digest` before they are parsed."""
    with _opened(store, digest) as stream:
        content: bytes = stream.read()
    _require(store, digest, hashlib.sha256(content).hexdigest())
    found: dict[str, str] = json.loads(content)
    for name in found:
        check_name(name)
    return found


def get_folder(store: Store, digest: str, to: Path) -> Path:
    """Bring a kept folder to `to`, whole or not at all; a folder that is there with the same content is left as it is.

    Raises Damaged where a file of the store is missing or was changed, RegistryError where `to` holds something else.
    """
    wanted = read_manifest(store, digest)
    if _holds(to, wanted):
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".assay-", dir=to.parent))
    try:
        for name, sha256 in wanted.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            _get(store, sha256, scratch / name)
        with contextlib.suppress(OSError):  # another process may have brought the same folder meanwhile: judged below
            scratch.rename(to)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not _holds(to, wanted):
        raise RegistryError(f"the folder {str(to)!r} holds something else; remove it, or fetch to another place")
    return to


def check_folder(store: Store, digest: str) -> Iterator[tuple[str, Damaged]]:
    """Read a kept folder again, file by file, and give each file that is not what it was."""
    try:
        wanted = read_manifest(store, digest)
    except Damaged as error:
        yield "manifest", error
        return
    for name, sha256 in wanted.items():
        try:
            with _opened(store, sha256) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            _require(store, sha256, found)
        except Damaged as error:
            yield name, error


def page(store: Store, name: str) -> str | None:
    """A small text under a name of its own, None where there is none. Raises Damaged where it is no text."""
    with _reached(store):
        try:
            content: bytes = store.files.cat_file(f"{store.root}/{name}")
        except FileNotFoundError:
            return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"{store.url}/{name} is no text ({error}); bring it back from a copy") from error


def put_page(store: Store, name: str, text: str) -> None:
    """Keep a small text under a name, whole or not at all; what was there is replaced."""
    target = f"{store.root}/{name}"
    with _reached(store):
        store.files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        if "file" not in _protocols(store):
            store.files.pipe_file(target, text.encode("utf-8"))
            return
        with _whole(Path(target)) as write:
            write.write(text.encode("utf-8"))


def names(store: Store, folder: str) -> list[str]:
    """The names in a folder of the store; none where it is not there."""
    with _reached(store):
        try:
            found = store.files.ls(f"{store.root}/{folder}".rstrip("/"), detail=False, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
    return [str(path).rstrip("/").rsplit("/", 1)[-1] for path in found]


def written(store: Store, name: str) -> datetime | None:
    """When a file of the store was written, in UTC; None where its file system does not tell."""
    try:
        found: datetime = store.files.modified(f"{store.root}/{name}")
    except (FileNotFoundError, NotImplementedError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def remove(store: Store, name: str) -> None:
    """Remove a file of the store, if it is still there."""
    with _reached(store), contextlib.suppress(FileNotFoundError):
        store.files.rm_file(f"{store.root}/{name}")


def _path(store: Store, digest: str) -> str:
    return f"{store.root}/{digest[:2]}/{digest}"


def _is_there(store: Store, digest: str, size: int) -> bool:
    """Whether these bytes need not be written. What is old is written anew, or `collect` might take it away."""
    try:
        found: int = store.files.size(_path(store, digest))
    except FileNotFoundError:
        return False
    if found != size:
        return False
    age = written(store, f"{digest[:2]}/{digest}")
    return age is not None and datetime.now(UTC) - age < FRESH


def _put(store: Store, source: Path, digest: str) -> None:
    target = _path(store, digest)
    if _is_there(store, digest, source.stat().st_size):
        return
    store.files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
    if "file" not in _protocols(store):
        store.files.put_file(str(source), target)  # object stores show an object only when it is whole
        return
    with source.open("rb") as read, _whole(Path(target)) as write:
        shutil.copyfileobj(read, write)


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Any]:
    """A file to write to, which takes its name when all of it lies on the disk."""
    scratch = Path(f"{target}.{uuid.uuid4().hex}.part")
    try:
        with scratch.open("wb") as write:
            yield write
            write.flush()
            os.fsync(write.fileno())
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(store: Store, digest: str) -> Iterator[Any]:
    """The bytes of an artifact. Raises Damaged where it is missing."""
    with _reached(store):
        try:
            path = _path(store, digest)
            with Path(path).open("rb") if "file" in _protocols(store) else store.files.open(path, "rb") as stream:
                yield stream
        except FileNotFoundError as error:
            raise Damaged(
                f"the artifact {digest} is missing in {store.url}; "
                "bring it back from a copy, or roll back to another version"
            ) from error


def _get(store: Store, digest: str, target: Path) -> None:
    with _opened(store, digest) as stream, target.open("wb") as write:
        shutil.copyfileobj(stream, write)
    try:
        _require(store, digest, of_file(target))
    except Damaged:
        target.unlink()
        raise


def _require(store: Store, digest: str, found: str) -> None:
    """Raises Damaged where bytes have another digest."""
    if found != digest:
        raise Damaged(
            f"the artifact {digest} in {store.url} has the digest {found}; its bytes were changed: "
            "bring it back from a copy, or roll back to another version"
        )


def _holds(folder: Path, wanted: Mapping[str, str]) -> bool:
    return folder.is_dir() and any(folder.iterdir()) and manifest(folder) == dict(wanted)


def _protocols(store: Store) -> tuple[str, ...]:
    protocol = store.files.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


@contextlib.contextmanager
def _reached(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RegistryUnreachable(
            f"the artifact store {store.url} cannot be used ({error}); "
            f"make it readable and writable, or point {store.variable} to another"
        ) from error
