"""Where bodies lie on this machine: `bodies` under ASSAY_HOME, by digest. Read without torch.

A version tells its body's digest and no path, so that it is the same version everywhere. Whoever trains on a body in a
folder leaves a link there, bodies/<digest of the weights>; what was made of a GGUF file lies there as a folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from tasks.backbone.body import BackboneMissing
from tasks.backbone.section import DEFAULT, SMOLLM2, BackboneSection


def bodies() -> Path:
    """The folder of bodies. Every process of Assay has ASSAY_HOME, workers on other machines too."""
    return Path(os.environ.get("ASSAY_HOME") or ".assay").absolute() / "bodies"


def remember(folder: Path, digest: str) -> None:
    """Link a folder by the digest of its weights, over an older link; a home that is read-only does without."""
    link = bodies() / digest
    if link.is_dir() and link.resolve() == folder.resolve():
        return
    with contextlib.suppress(OSError):
        link.parent.mkdir(parents=True, exist_ok=True)
        scratch = link.with_name(f".{digest}.{os.getpid()}")
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(folder.resolve())
        scratch.replace(link)


def of_version(facts: Mapping[str, str]) -> BackboneSection:
    """The section that opens the body which a version was trained on, by the facts in its head.json.

    The folder of that digest under the home, else the name, where it is one that every machine knows: a package,
    `tiny-<kind>`, or an id of the hub. Raises BackboneMissing where a name is none of them.
    """
    name, digest, dtype = facts["name"], facts["digest"], facts.get("dtype", "float32")
    link = bodies() / digest
    if link.is_dir():
        return BackboneSection(name=str(link), digest=digest, dtype=dtype)
    if name not in (DEFAULT, SMOLLM2) and not name.startswith("tiny-") and "/" not in name:
        raise BackboneMissing(
            f"a version was trained on the backbone {name!r}, which lay in a folder that this machine does not know; "
            f"link the folder: ln -s FOLDER {link}"
        )
    return BackboneSection(name=name, digest=facts.get("gguf_digest", digest), dtype=dtype)
