"""The cache of hidden states on disk: what the frozen part of a body gives for a text, kept and read memory-mapped.

A pack is one safetensors file, named by its own sha256, in a folder per body and depth. It is written once, whole or
not at all, checked when it is opened, and the least recently used ones go when the store is full.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tasks import digest
from tasks.task import IntArray

PACK = 16 * 2**20  # bytes of states that are gathered before they are written
TOKENS, ROWS = 6144, 8  # of one pass of the body; few rows, because every pass is filled up to this shape
STALE = 3600.0  # seconds after which a file that nobody finished is removed
SUFFIX = ".safetensors"

Compute = Callable[[Sequence[IntArray]], Any]  # texts of equal length as token ids -> (n, tokens, width)


@dataclass(frozen=True)
class Worker:
    """One of `size` workers that fill a store. `meet` waits for all; `tell(done, missing)` says how far this one is."""

    rank: int = 0
    size: int = 1
    meet: Callable[[], None] = lambda: None
    tell: Callable[[int, int], None] = lambda done, missing: None


@dataclass(frozen=True)
class Store:
    """Where states lie: `root` holds the folders of all bodies and is kept below `limit` bytes."""

    root: Path
    folder: Path
    limit: int
    width: int


@dataclass(frozen=True)
class States:
    """The states of some rows: row i is packs[pack[i]][start[i] : start[i] + length[i]], (tokens, width)."""

    packs: tuple[Any, ...]
    pack: IntArray
    start: IntArray
    length: IntArray

    def part(self, rows: slice) -> States:
        """Some of the rows."""
        return States(self.packs, self.pack[rows], self.start[rows], self.length[rows])

    def padded(self, index: IntArray) -> Any:
        """(n, longest, width) states of the rows at `index`, zeros after the end of a text."""
        first = self.packs[self.pack[index[0]]]
        found = torch.zeros(len(index), int(self.length[index].max()), first.shape[1], dtype=first.dtype)
        for place, row in enumerate(index.tolist()):
            start, length = int(self.start[row]), int(self.length[row])
            found[place, :length] = self.packs[self.pack[row]][start : start + length]
        return found


def open_store(root: Path, body: str, depth: int, width: int, gigabytes: float) -> Store:
    """The store under `root` for one body (its digest) cut at `depth`."""
    folder = root / f"{body[:32]}-{depth}"
    folder.mkdir(parents=True, exist_ok=True)
    return Store(root, folder, int(gigabytes * 1e9), width)


def fill(store: Store, rows: Sequence[IntArray], compute: Compute, worker: Worker) -> States | None:
    """States of token ids, those that are not there computed first; None where the store has no room for them.

    Each worker computes its share and waits for the others; what is still missing then (a node without a shared disk)
    each computes for itself.
    """
    keys = np.array([hashlib.sha256(row.tobytes()).digest() for row in rows], dtype="S32")
    wanted, first = np.unique(keys, return_index=True)
    for rank, size in dict.fromkeys(((worker.rank, worker.size), (0, 1))):
        packs = _open(store)
        known = np.concatenate([pack.keys for pack in packs]) if packs else wanted[:0]
        missing = first[~np.isin(wanted, known)]
        missing = missing[np.lexsort((keys[missing], np.array([len(rows[i]) for i in missing.tolist()])))]
        needed = sum(len(rows[i]) for i in missing.tolist()) * store.width * 4
        kept = [pack.path for pack in packs if np.isin(pack.keys, wanted).any()]
        if not _make_room(store, kept, needed):
            return None
        _compute(store, rows, keys, missing[rank::size], compute, worker.tell)
        worker.meet()
    return _found(_open(store) if len(missing) else packs, keys)  # opening reads every pack to check it


@dataclass(frozen=True)
class _Pack:
    path: Path
    keys: Any
    starts: IntArray
    states: Any


def _open(store: Store) -> list[_Pack]:
    """Every whole pack of the folder; a file that is not what its name says is removed, and computed again."""
    packs = []
    for path in sorted(store.folder.glob(f"*{SUFFIX}")):
        with contextlib.suppress(FileNotFoundError):  # another run has just made room
            if digest.of_file(path) != path.stem:
                path.unlink(missing_ok=True)
                continue
            os.utime(path)
            with safe_open(path, framework="pt") as file:
                keys = np.frombuffer(file.get_tensor("keys").numpy().tobytes(), dtype="S32")
                packs.append(_Pack(path, keys, file.get_tensor("starts").numpy(), file.get_tensor("states")))
    return packs


def _found(packs: Sequence[_Pack], keys: Any) -> States | None:
    """The states of all keys; None where one is absent, because another run made room in the meantime."""
    if not packs or not np.isin(keys, np.concatenate([pack.keys for pack in packs])).all():
        return None
    names = np.concatenate([pack.keys for pack in packs])
    owner = np.repeat(np.arange(len(packs)), [len(pack.keys) for pack in packs])
    starts = np.concatenate([pack.starts[:-1] for pack in packs])
    lengths = np.concatenate([np.diff(pack.starts) for pack in packs])
    order = np.argsort(names, kind="stable")
    place = order[np.searchsorted(names[order], keys)]
    return States(tuple(pack.states for pack in packs), owner[place], starts[place], lengths[place])


def _make_room(store: Store, kept: Sequence[Path], needed: int) -> bool:
    """Remove the packs that were not used for longest until `needed` bytes fit beside those that are kept."""
    for path in store.root.glob("*/*.part"):
        if time.time() - path.stat().st_mtime > STALE:
            path.unlink(missing_ok=True)
    found = {}
    for path in store.root.glob(f"*/*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.stat()
    used = sum(stat.st_size for stat in found.values())
    if needed + sum(found[path].st_size for path in kept if path in found) > store.limit:
        return False
    for path in sorted(found.keys() - set(kept), key=lambda path: (found[path].st_mtime, path.name)):
        if used + needed <= store.limit:
            break
        path.unlink(missing_ok=True)
        used -= found[path].st_size
    return True


def _compute(
    store: Store,
    rows: Sequence[IntArray],
    keys: Any,
    chosen: IntArray,
    compute: Compute,
    tell: Callable[[int, int], None],
) -> None:
    """Compute the states of the chosen rows, which come ordered by length, and write them pack by pack."""
    room = PACK // (4 * store.width)  # tokens
    gathered = torch.empty(0)  # one buffer for all packs: fresh ones of every size would tear the heap
    names: list[bytes] = []
    starts = [0]
    for group in _groups([len(rows[i]) for i in chosen.tolist()]):
        part = chosen[group].tolist()
        # Always the same shape for a length: products of another number of rows differ in their last digits.
        filled = [*part, *[part[-1]] * (_rows_of(len(rows[part[0]])) - len(part))]
        found = compute([rows[i] for i in filled])[: len(part)].cpu()
        count = found.shape[0] * found.shape[1]
        if starts[-1] + count > len(gathered):
            if names:
                _write(store, names, starts, gathered)
            if count > len(gathered):
                gathered = torch.empty(max(room, count), store.width, dtype=found.dtype)
            names, starts = [], [0]
        gathered[starts[-1] : starts[-1] + count] = found.reshape(count, store.width)
        names += [keys[i].ljust(32, b"\0") for i in part]
        starts += [starts[-1] + (place + 1) * found.shape[1] for place in range(len(part))]
        tell(group.stop, len(chosen))
    if names:
        _write(store, names, starts, gathered)


def _groups(lengths: Sequence[int]) -> list[slice]:
    """Cut sorted lengths into runs of one length, so that nothing is padded."""
    cuts, start = [], 0
    for i in range(1, len(lengths) + 1):
        full = i - start >= _rows_of(lengths[start])
        if i == len(lengths) or lengths[i] != lengths[start] or full:
            cuts.append(slice(start, i))
            start = i
    return cuts


def _rows_of(length: int) -> int:
    return min(ROWS, max(1, TOKENS // length))


def _write(store: Store, names: Sequence[bytes], starts: Sequence[int], gathered: Any) -> None:
    handle, part = tempfile.mkstemp(suffix=".part", dir=store.folder)
    os.close(handle)
    tensors = {
        "keys": torch.from_numpy(np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, 32).copy()),
        "starts": torch.tensor(starts),
        "states": gathered[: starts[-1]],
    }
    save_file(tensors, part)
    Path(part).replace(store.folder / f"{digest.of_file(Path(part))}{SUFFIX}")
