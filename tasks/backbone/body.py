"""The frozen body with its tokenizer, as everything above meets it, and the kinds of bodies that are known."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.backbone.tokenizer import Tokenizer

ENCODERS = ("bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "electra", "modernbert")
DECODERS = ("llama", "mistral", "qwen2", "qwen3", "deepseek_v2", "deepseek_v3")
WINDOW = 4096  # tokens at most, so that one long document cannot fill memory


class BackboneMissing(ValueError):
    """The body named in the recipe is not there, or is not the one that was pinned."""


@dataclass(frozen=True)
class Backbone:
    """A frozen body; `digest` is that of its weights, the other two of tokenizer.json and config.json.

    `gguf_digest` is that of the GGUF file which the three were made of; empty where there was none.

    `pooling` says which hidden state stands for the text: the mean over tokens (encoders) or the last token (decoders).
    `words`, (vocabulary, width), scores the next word from a decoder's hidden state: the input words where the body
    ties them, else a matrix beside the body, which does not move to a card with it. None where nothing can be written:
    for encoders, and for a decoder whose files hold no such matrix. One Backbone carries one Model, for adapters are
    put into its body; `again` gives one for another Model on the same weights.
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
    words: Any = None
    gguf_digest: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """Name and digests, as a version records them: no path. The kind of numbers stands there if not float32."""
        dtype = str(self.body.dtype).removeprefix("torch.")
        return {
            **({"gguf_digest": self.gguf_digest} if self.gguf_digest else {}),
            **({"dtype": dtype} if dtype != "float32" else {}),
            "name": self.name,
            "digest": self.digest,
            "tokenizer_digest": self.tokenizer_digest,
            "config_digest": self.config_digest,
        }


def again(backbone: Backbone) -> Backbone:
    """A body of its own modules on the same weights, which are not copied: for another Model, while nothing learns."""
    shared = {id(tensor): tensor for tensor in (*backbone.body.parameters(), *backbone.body.buffers())}
    return dataclasses.replace(backbone, body=copy.deepcopy(backbone.body, shared))


def frozen(body: Any, tokenizer: Tokenizer, name: str, digests: Sequence[str], words: Any = None) -> Backbone:
    """A Backbone from parts: no weight needs a gradient, and the body is in evaluation mode."""
    body.requires_grad_(False)
    body.eval()
    if hasattr(body.config, "use_cache"):
        body.config.use_cache = False  # one pass per text: a key-value cache would only cost memory
    weights, tokens, config = digests
    return Backbone(
        body=body,
        tokenizer=tokenizer,
        name=name,
        digest=weights,
        tokenizer_digest=tokens,
        config_digest=config,
        width=int(body.config.hidden_size),
        pooling="last" if body.config.model_type in DECODERS else "mean",
        max_tokens=int(tokenizer.backend.truncation["max_length"]),
        words=words,
    )
