"""What each replica tells of itself: a small file under the home that it renews every second.

So a command knows whether a service runs here, and what all of its replicas answer with, not one that HAProxy picked.
Light: commands import it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FRESH_SECONDS = 15.0  # a replica that has not renewed its file for so long is gone: on a busy machine looks are late
KEPT_SECONDS = 3600.0  # a file that is older is taken away


@dataclass(frozen=True)
class Standing:
    """One replica.

    pulse     the newest event of the registry that it has followed
    digests   task -> digest of the version that answers
    trouble   digest of a version -> why it does not answer; other keys hold what concerns the whole replica
    """

    replica: str
    release: int
    pulse: int
    digests: Mapping[str, str]
    trouble: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """A task that is to be answered with a version's digest, by whoever has followed the registry up to `pulse`."""

    task: str
    digest: str
    pulse: int


def folder(home: Path) -> Path:
    """Where the replicas of a home's service tell of themselves."""
    return home / "serving"


def stream(home: Path) -> Path:
    """Where the one replica of a home's stream tells of itself."""
    return folder(home) / "stream"


def name() -> str:
    """What this process is called as a replica: its machine and its number."""
    return f"{os.uname().nodename}-{os.getpid()}"


def _dead(replica: str) -> bool:
    """Whether it was a process of this machine that is there no more."""
    machine, _, pid = replica.rpartition("-")
    return machine == os.uname().nodename and Path("/proc").is_dir() and not Path("/proc", pid).exists()


def tell(where: Path, standing: Standing) -> None:
    """Renew a replica's file, whole or not at all. Raises OSError where it cannot be written."""
    renew(where / f"{standing.replica}.json", asdict(standing))


def renew(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all, for others that read it meanwhile. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text(json.dumps(document), encoding="utf-8")
    scratch.replace(path)


def heard(where: Path, fresh: float = FRESH_SECONDS) -> list[Standing]:
    """What replicas told within the last `fresh` seconds, by name; one whose process is gone is left out at once."""
    found, now = [], time.time()
    for path in sorted(where.glob("*.json")):
        try:
            if now - path.stat().st_mtime <= fresh and not _dead(path.stem):
                found.append(Standing(**json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            continue  # taken away between the list and the look
    return found


def forget(where: Path, replica: str | None = None) -> None:
    """Take away the file of a replica that ends, or of all that have long been gone."""
    for path in where.glob("*.json" if replica is None else f"{replica}.json"):
        try:
            if replica is not None or time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
        except FileNotFoundError:
            continue


def wait(where: Path, wanted: Wanted, seconds: float) -> dict[str, Any] | None:
    """Wait until every replica answers as it is to, one says why it does not, or the time is over.

    Gives {"replicas", "digest", "release", "seconds", "trouble"}: `digest` what answers now, None where replicas
    differ; `trouble` the reason. None where no service runs on this home.
    """
    began = time.monotonic()
    digest = wanted.digest
    while found := heard(where):
        digests = {standing.digests.get(wanted.task) for standing in found}
        followed = all(standing.pulse >= wanted.pulse for standing in found)
        trouble = next((text for standing in found if (text := standing.trouble.get(digest, ""))), "")
        waited = time.monotonic() - began
        if (followed and (digests == {digest} or trouble)) or waited > seconds:
            return {
                "replicas": len(found),
                "digest": digests.pop() if len(digests) == 1 else None,
                "release": max(standing.release for standing in found),
                "seconds": round(waited, 2),
                "trouble": trouble or ("" if digests <= {digest} else f"not loaded within {seconds:.0f} s"),
            }
        time.sleep(0.1)
    return None
