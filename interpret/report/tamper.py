"""What one changed bit does: whether a file's digest shows it, tried and not assumed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FLIPS = 10_000
MOST_READ = 6_000_000_000  # bytes that are hashed at most: large weights are tried less often


def flips(folders: Sequence[Path], seed: int = 7) -> tuple[int, int]:
    """Flip single bits of every file of some folders, in memory: (tried, seen by SHA-256)."""
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    random, tried, seen = np.random.default_rng(seed), 0, 0
    for path in files:
        content = bytearray(path.read_bytes())
        whole = hashlib.sha256(content).digest()
        count = max(1, min(-(-FLIPS // len(files)), MOST_READ // len(files) // len(content)))
        for bit in random.integers(0, 8 * len(content), min(count, FLIPS - tried)).tolist():
            content[bit // 8] ^= 1 << bit % 8
            seen += hashlib.sha256(content).digest() != whole
            content[bit // 8] ^= 1 << bit % 8
            tried += 1
    return tried, seen
