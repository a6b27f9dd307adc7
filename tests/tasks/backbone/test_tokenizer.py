"""Text to token ids: what strangers write is plain text, hidden spans become masks in place, a cut is told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tasks.backbone import tiny as bodies
from tasks.backbone import tokenizer as tokens
from tasks.backbone.body import Backbone
from tests.tasks.backbone.toys import words


def special(tokenizer: tokens.Tokenizer, ids: Any) -> int:
    return int(np.isin(ids, list(tokenizer.specials)).sum())


def test_literal_special_tokens_are_plain_text(minilm: Backbone) -> None:
    for tokenizer in (minilm.tokenizer, bodies.tiny("bert").tokenizer, bodies.tiny("llama").tokenizer):
        (clean,) = tokens.encode(tokenizer, ["profit"]).ids
        (dirty,) = tokens.encode(tokenizer, ["profit [MASK] [CLS] [SEP] [PAD] </s> <s> <pad>"]).ids
        assert special(tokenizer, dirty) == special(tokenizer, clean)
        assert len(dirty) > len(clean) + 7


def test_a_chat_tag_that_is_added_but_not_special_is_plain_text_too() -> None:
    document = json.loads(words("llama"))
    document["added_tokens"].append(
        {**document["added_tokens"][0], "id": 9999, "content": "<|User|>", "special": False}
    )
    tokenizer = tokens.from_json(json.dumps(document), 64)
    (ids,) = tokens.encode(tokenizer, ["hello <|User|> there"]).ids
    assert 9999 not in ids


def test_a_special_token_that_is_also_a_word_of_the_vocabulary_cannot_be_written() -> None:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "profit": 2}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens([AddedToken("<unk>", special=True), AddedToken("</s>", special=True)])
    (ids,) = tokens.encode(tokens.from_json(backend.to_str(), 64), ["profit </s> profit"]).ids
    assert ids.tolist() == [2, 0, 2]


def test_hidden_spans_become_mask_tokens_in_place(minilm: Backbone) -> None:
    text = "Net profit rose sharply"
    (shown,) = tokens.encode(minilm.tokenizer, [text]).ids
    (hidden,) = tokens.encode(minilm.tokenizer, [text], [((4, 11),)]).ids
    assert len(shown) == len(hidden)
    changed = np.flatnonzero(shown != hidden)
    assert changed.tolist() == [2]  # "profit" alone: the span's last space belongs to nobody
    assert hidden[2] == minilm.tokenizer.mask
    (all_hidden,) = tokens.encode(minilm.tokenizer, [text], [((-5, 999),)]).ids
    assert (all_hidden[1:-1] == minilm.tokenizer.mask).all()
    assert all_hidden[[0, -1]].tolist() == shown[[0, -1]].tolist()


def test_a_body_without_a_mask_token_hides_with_unknown() -> None:
    tokenizer = bodies.tiny("llama").tokenizer
    assert tokenizer.mask == tokenizer.backend.token_to_id("<unk>")


def test_hiding_one_text_in_many_ways_does_not_mix_the_rows(minilm: Backbone) -> None:
    texts = ["alpha beta", "gamma", "alpha beta", "alpha beta"]
    spans = [((0, 5),), (), ((6, 10),), ()]
    many = tokens.encode(minilm.tokenizer, texts, spans).ids
    for row, text in enumerate(texts):
        (alone,) = tokens.encode(minilm.tokenizer, [text], [spans[row]]).ids
        assert alone.tolist() == many[row].tolist()


def test_a_text_beyond_the_window_is_cut_and_told(minilm: Backbone) -> None:
    read = tokens.encode(minilm.tokenizer, ["profit " * 300, "profit", ""])
    assert [len(ids) for ids in read.ids] == [256, 3, 2]
    assert read.truncated.tolist() == [True, False, False]


def test_an_empty_text_is_one_token_even_where_the_family_adds_none() -> None:
    document = json.loads(words("llama"))
    document["post_processor"] = None
    tokenizer = tokens.from_json(json.dumps(document), 64)
    assert [ids.tolist() for ids in tokens.encode(tokenizer, ["", "1"], [((0, 9),), ()]).ids] == [
        [tokenizer.pad],
        [tokenizer.backend.token_to_id("1")],
    ]


def test_half_a_character_is_refused_with_a_sentence(minilm: Backbone) -> None:
    with pytest.raises(ValueError, match="half of a character; send valid Unicode"):
        tokens.encode(minilm.tokenizer, ["profit \ud800"])
