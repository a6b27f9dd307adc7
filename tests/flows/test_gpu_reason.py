"""The GPU script for reasons, on a tiny body and a processor: what it claims to be equal is, and rewards teach."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu_reason

TINY = ["--tiny", "--device", "cpu"]


@pytest.fixture(autouse=True)
def _same_numbers_in_any_order() -> None:
    torch.manual_seed(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("body")
    gpu_reason.body_of("tiny", torch.float32, "cpu").save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def speakers() -> Any:
    return gpu_reason.adapted("tiny", torch.float32, "cpu")


def settings(*more: str) -> argparse.Namespace:
    return gpu_reason.parsed([*TINY, *more])


def test_one_command_prints_one_document_with_three_cases_on_each_body(folder: Path) -> None:
    document = gpu_reason.measure(settings("--weights", str(folder), "--repeats", "1"))
    json.dumps(document, allow_nan=False)
    assert "never run on" in document["note"]
    names = ["SFT step", "GRPO step", "five rationales on one prefill"]
    assert [row["case"] for row in document["rows"]] == [
        f"{body}: {name}" for body in ("tiny", folder) for name in names
    ]
    for row in document["rows"]:
        assert row["ours"] > 0
        assert row["dtype"] == "torch.float32"
        assert row["compared"]
    for sft, policy, spoken in (document["rows"][:3], document["rows"][3:]):
        assert sft["mfu"] == {"of_card": None, "of_product": None}
        assert policy["ours"] == pytest.approx(sum(policy["seconds"].values()), rel=0.01)
        assert spoken["times_one"] == pytest.approx(spoken["ours"] / spoken["seconds"]["one"], rel=0.01)
        assert spoken["pass"] is None, "a processor meets no bar of a card"
        for row in (sft, spoken):
            assert row["equality"]["torch.float32"]["within_1e-5"]


def test_it_imports_nothing_that_a_bare_machine_with_a_gpu_lacks() -> None:
    tree = ast.parse(Path(gpu_reason.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - sys.stdlib_module_names == {"torch", "transformers", "peft"}


def test_without_a_card_or_a_body_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, cure in ((["--device", "cpu"], "--tiny"), ([*TINY, "--weights", str(tmp_path)], "config.json")):
        with pytest.raises(SystemExit):
            gpu_reason.parsed(flags)
        assert cure in capsys.readouterr().err


def test_a_case_that_fails_says_so_and_the_others_stand(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())  # and no weights
    rows = gpu_reason.run(["tiny=yes", "device=cpu", "repeats=1", f"weights={tmp_path}"])
    assert ["error" in row for row in rows] == [False] * 3 + [True] * 3
    assert "safetensors" in rows[-1]["error"]


@pytest.mark.parametrize("chunk", [1, 5, 23, 24, 1000])
def test_the_loss_by_chunks_is_the_plain_loss_and_so_is_its_gradient(chunk: int) -> None:
    torch.manual_seed(chunk)
    head, targets, weights = torch.randn(96, 32), torch.randint(96, (23,)), torch.randn(23)
    weights[3] = 0  # a token that is not predicted; a negative weight is a sample worse than its group
    found = []
    for size in (chunk, None):
        hidden = torch.randn(23, 32, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
        loss = 3 * gpu_reason.loss_of(hidden, head, targets, weights, size)
        loss.backward()
        found.append((loss.detach(), hidden.grad))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-5)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-5)
    assert not found[0][1][3].any()


def test_by_chunks_no_tensor_is_as_large_as_the_logits() -> None:
    largest = gpu_reason.check_loss("tiny", settings("--length", "400"))["largest_tensor_mb"]
    assert largest["peer"] == 400 * 96 * 4 / 1e6
    assert largest["ours"] <= 400 * 32 * 4 / 1e6, "the states themselves"


def test_the_flop_of_a_step_are_twice_those_of_its_forward_pass() -> None:
    body, told = gpu_reason.body_of("tiny", torch.float32, "cpu"), settings("--repeats", "1")
    ids = gpu_reason.ids_of(body, told.batch, told.length)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        body.lm_head(body.model(input_ids=ids).last_hidden_state[:, :-1].flatten(0, 1))
    products = counter.get_flop_counts()["Global"][torch.ops.aten.mm]
    assert gpu_reason.sft("tiny", told, told.chunk)["flop"] == pytest.approx(2 * products, rel=0.01)


def test_over_a_shared_cache_every_adapter_says_what_it_says_alone(speakers: Any) -> None:
    document = gpu_reason.ids_of(speakers, 1, 60)
    found = gpu_reason.check_cache(speakers, document, 8)
    assert found["within_1e-5"]
    assert (found["tokens_equal"], found["distinct"]) == (1.0, 5)
    together = gpu_reason.rationales(speakers, document, gpu_reason.NAMES, gpu_reason.stacked, 8).argmax(-1)
    mixed = gpu_reason.rationales(speakers, document, gpu_reason.NAMES, gpu_reason.by_peft, 8).argmax(-1)
    assert torch.equal(together, mixed)
    for row, (name, words) in enumerate(gpu_reason.INVOKED.items()):
        speakers.set_adapter(name)
        asked = torch.cat([document, torch.tensor([words])], 1)
        told = speakers.generate(
            input_ids=asked, attention_mask=torch.ones_like(asked), max_new_tokens=8, do_sample=False, pad_token_id=0
        )
        assert torch.equal(told[0, 62:], together[row])


def test_an_adapter_of_another_row_would_be_seen(speakers: Any) -> None:
    document = gpu_reason.ids_of(speakers, 1, 60)
    scores = gpu_reason.rationales(speakers, document, gpu_reason.NAMES, gpu_reason.stacked, 8)
    right, wrong = (
        gpu_reason.full_pass(speakers, document, name, scores[0].argmax(-1)) for name in gpu_reason.NAMES[:2]
    )
    assert torch.allclose(scores[0], right, atol=1e-5)
    assert (scores[0] - wrong).abs().max() > 1e-2
    before = speakers.get_base_model().model(document).last_hidden_state
    with speakers.disable_adapter():
        assert torch.equal(before, speakers.get_base_model().model(document).last_hidden_state), "a hook stayed behind"


def test_learning_through_the_shared_prompt_is_learning_on_whole_rows() -> None:
    body, _ = gpu_reason.learner("tiny", "cpu")
    torch.nn.init.normal_(next(weight for name, weight in body.named_parameters() if "lora_B" in name))
    prompts = gpu_reason.ids_of(body, 2, 12)
    drawn, gains = gpu_reason.sample(body, prompts, 4, 6), torch.randn(8)
    gpu_reason.policy_loss(body, prompts, drawn, gains, 7).backward()
    shared = {name: weight.grad.clone() for name, weight in body.named_parameters() if weight.grad is not None}
    body.zero_grad()
    logits = body(input_ids=torch.cat([prompts.repeat_interleave(4, 0), drawn], 1)).logits[:, 11:-1]
    chances = logits.log_softmax(-1).gather(-1, drawn[..., None])[..., 0]
    (-(gains[:, None] * chances).mean()).backward()
    assert len(shared) == 28
    for name, weight in body.named_parameters():
        if name in shared:
            assert torch.allclose(weight.grad, shared[name], rtol=1e-4, atol=1e-6), name


def test_advantages_are_of_the_group_and_equal_rewards_teach_nothing() -> None:
    gains = gpu_reason.advantages(torch.tensor([0.0, 1.0, 5.0, 5.0, 2.0, 4.0]), 2).view(3, 2)
    assert torch.allclose(gains.sum(1), torch.zeros(3), atol=1e-6)
    assert torch.allclose(gains[0], gains[2], atol=1e-3), "the size of a reward does not count, its place does"
    assert not gains[1].any()


@pytest.mark.parametrize("rewarded", [17, 90])
def test_a_rewarded_token_grows_likelier(rewarded: int) -> None:
    torch.manual_seed(rewarded)
    body, optimizer = gpu_reason.learner("tiny", "cpu")
    prompts, told = gpu_reason.ids_of(body, 2, 12), settings("--samples", "64", "--tokens", "4")

    def chance() -> float:
        with torch.no_grad():
            return float(body(input_ids=prompts).logits[:, -1].softmax(-1)[:, rewarded].mean())

    def reward(drawn: torch.Tensor) -> torch.Tensor:
        return (drawn == rewarded).float().mean(1)

    before = chance()
    for _ in range(12):
        gpu_reason.policy_step(body, optimizer, prompts, reward, told)
    assert chance() > 1.1 * before
