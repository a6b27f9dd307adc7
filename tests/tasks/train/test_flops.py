"""What a token of learning costs: counted by hand for bodies that are small enough."""

from __future__ import annotations

import pytest

from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.model import build
from tasks.model.model import Model
from tasks.train import flops
from tests.tasks.toys import make_task


def adapted(kind: str, layers: int | str) -> Model:
    toy = make_task("mood", "classify", ("bad", "good"), ("text",))
    backbone = open_backbone(BackboneSection(name=f"tiny-{kind}"))
    return build.build(backbone, {"mood": toy}, {"mood": ("text",)}, LoraSection(layers=layers, rank=2), 7)


def block_weights(net: Model) -> int:
    body = net.body.get_base_model()
    return sum(weight.numel() for name, weight in body.named_parameters() if ".layers." in f".{name}" and "lora_" not in name)  # fmt: skip


def test_a_token_costs_four_flop_a_weight_where_adapters_learn_and_nothing_where_states_are_stored():
    whole, top = adapted("llama", "all"), adapted("llama", 1)
    weights, blocks = block_weights(whole), whole.body.get_base_model().config.num_hidden_layers
    assert flops.per_token(whole, stored=False) == 4 * weights
    assert flops.per_token(top, stored=True) == pytest.approx(4 * weights / blocks)
    assert flops.per_token(top, stored=False) == pytest.approx((4 + 2 * (blocks - 1)) * weights / blocks)


def test_of_routed_experts_only_those_count_that_a_token_is_sent_to():
    net = adapted("deepseek_v2", "all")
    body = net.body.get_base_model()
    routed = sum(weight.numel() for name, weight in body.named_parameters() if ".experts." in name)
    idle = routed * (1 - body.config.num_experts_per_tok / body.config.n_routed_experts)
    assert idle > 0
    assert flops.per_token(net, stored=False) == pytest.approx(4 * (block_weights(net) - idle))


def test_on_a_processor_no_share_of_a_card_is_told():
    assert flops.ceiling(adapted("llama", "all"), stored=False, workers=1) is None
