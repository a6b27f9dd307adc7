"""The tokenizer.json of a GGUF file: a byte-level BPE whose way of cutting text is known by the name it bears there.

The ways are those of llama.cpp (src/llama-vocab.cpp), each as its model's own tokenizer.json writes it. transformers
would cut every text as GPT-2 does, whatever the file says: other tokens than the model has learned, without a word.
"""

from __future__ import annotations

from typing import Any

from tasks.backbone.gguf_file import GgufFile, refuse

NORMAL, CONTROL, USER = 1, 3, 4  # llama.cpp's kinds of tokens
WORDS = 2**21  # at most: eight times the largest vocabulary that is known
APOSTROPHES, ENDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|", r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# name in the file -> what cuts a text, one after the other
CUTS = {
    "gpt-2": (GPT2,),
    "smollm": (r"\p{N}", GPT2),
    "llama-bpe": (rf"{APOSTROPHES}[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{ENDS}",),
    "qwen2": (rf"{APOSTROPHES}[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{ENDS}",),
    "deepseek-v3": (
        r"\p{N}{1,3}",
        "[一-龥\u3040-ゟ゠-ヿ]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
        r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}
ALIKE = {"deepseek-r1-qwen": "qwen2", "llama3": "llama-bpe", "llama-v3": "llama-bpe"}


def document(file: GgufFile) -> dict[str, Any]:
    """The tokenizer.json of a file. Raises BackboneMissing where it has none, or cuts text in an unknown way."""
    kind, cut = file.fields.get("tokenizer.ggml.model"), str(file.fields.get("tokenizer.ggml.pre", "none"))
    cut = ALIKE.get(cut, cut)
    if kind != "gpt2" or cut not in CUTS:
        said = f"its tokenizer is {kind!r} with the cut {cut!r}, where {', '.join(CUTS)} of kind 'gpt2' are known"
        refuse(file.name, "it brings no tokenizer" if kind is None else said, "give the model's folder of safetensors")
    words, kinds = _words(file)
    merges = [merge.split(" ") for merge in _texts(file, "merges")]
    first = file.fields.get("tokenizer.ggml.bos_token_id") if _opens(file, cut) else None
    if first is not None and (type(first) is not int or not 0 <= first < len(words)):
        refuse(file.name, f"its first token is {first!r} of {len(words):,}", "take the file from its publisher")
    pair = [part for part in merges if len(part) != 2]
    if pair:
        refuse(file.name, f"the merge {' '.join(pair[0])!r} joins no two words", "take the file from its publisher")
    added = [place for place, told in enumerate(kinds) if told in (CONTROL, USER)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(place, words[place], kinds[place]) for place in added],
        "normalizer": {"type": "NFC"} if cut == "qwen2" else None,
        "pre_tokenizer": _cutting(cut),
        "post_processor": None if first is None else _opening(words[first], first),
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": _bpe(words, merges, whole=cut == "llama-bpe"),
    }


def _texts(file: GgufFile, name: str) -> list[str]:
    found = file.fields.get(f"tokenizer.ggml.{name}")
    if not isinstance(found, list) or len(found) > WORDS or not all(isinstance(text, str) for text in found):
        refuse(file.name, f"its tokenizer brings no {name}", "give the model's folder of safetensors")
    return found


def _words(file: GgufFile) -> tuple[list[str], list[int]]:
    """The vocabulary, and the kind of each word."""
    words, rows = _texts(file, "tokens"), file.tensors["token_embd.weight"].shape[0]
    kinds = file.fields.get("tokenizer.ggml.token_type", [NORMAL] * len(words))
    if len(words) > rows or not isinstance(kinds, list) or len(kinds) != len(words) or len(set(words)) != len(words):
        refuse(
            file.name,
            f"its tokenizer has {len(words):,} words, {len(set(words)):,} different, {len(kinds):,} with a kind; its "
            f"body has {rows:,}",
            "take the file from its publisher",
        )
    return words, kinds


def _opens(file: GgufFile, cut: str) -> bool:
    """Whether a text begins with the token of its beginning; Llama 3's does where nothing is said."""
    return bool(file.fields.get("tokenizer.ggml.add_bos_token", cut == "llama-bpe"))


def _added(place: int, word: str, kind: int) -> dict[str, Any]:
    sides = dict.fromkeys(("lstrip", "rstrip", "single_word"), False)
    return {"id": place, "content": word, "normalized": False, "special": kind == CONTROL, **sides}


def _cutting(cut: str) -> dict[str, Any]:
    """Split at each pattern in turn, then write bytes as the signs that stand for them."""
    splits = [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        for pattern in CUTS[cut]
    ]
    signs = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [*splits, signs]}


def _opening(word: str, place: int) -> dict[str, Any]:
    single = [{"SpecialToken": {"id": word, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    special = {word: {"id": word, "ids": [place], "tokens": [word]}}
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}


def _bpe(words: list[str], merges: list[list[str]], *, whole: bool) -> dict[str, Any]:
    """`whole`: a piece that is a word is taken as it is, without its merges, as Llama 3 does."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": whole,
        "vocab": {word: place for place, word in enumerate(words)},
        "merges": merges,
    }
