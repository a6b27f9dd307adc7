"""What makes a step cheaper changes nothing of what is learned: stored states, bfloat16, recomputed activations."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.numpy

from tasks.train import loop as train
from tasks.train.job import default_store, prepare
from tests.tasks.train.toys import files, weights_of


def test_in_bfloat16_a_run_learns_nearly_the_same_and_keeps_its_weights_in_float32(make):
    plain, mixed = make("words", epochs=4), make("words", epochs=4, bf16="on")
    told, nearly = train.fit(plain), train.fit(mixed)
    assert (told["bf16"], nearly["bf16"]) == (False, True)
    expected = told["tasks"]["words"]["best_loss"]
    assert nearly["tasks"]["words"]["best_loss"] == pytest.approx(expected, rel=0.1)
    assert nearly["tasks"]["words"]["best_loss"] != expected
    tensors = safetensors.numpy.load_file(Path(mixed["out"]) / "words" / "adapter_model.safetensors")
    assert {str(value.dtype) for value in tensors.values()} == {"float32"}


def test_from_stored_states_a_run_learns_what_it_learns_without_a_store(make):
    stored, bare, again = make("words"), make("words"), make("words")
    bare["states"] = {"folder": stored["out"] + "-none", "gigabytes": 0}
    again["states"] = default_store(stored)
    told, without = train.fit(stored), train.fit(bare)
    assert (told["stored"], without["stored"]) == (192 + 64, 0)
    assert told["tasks"]["words"]["best_loss"] == pytest.approx(without["tasks"]["words"]["best_loss"], abs=1e-5)
    train.fit(again)  # reads what the first one wrote
    assert files(again) == files(stored)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_with_recomputed_activations_a_run_ends_with_the_same_bytes(make, dropout):
    plain, frugal = (make("words", lora={"layers": "all", "dropout": dropout}, recompute=on) for on in (False, True))
    passes = []
    for config in (plain, frugal):
        job = prepare(config, train.TrainSection(**config["train"]), train.ALONE)
        train.train_mode(job.model)
        seen = []
        for name, module in job.model.body.named_modules():
            if name.endswith("lora_A.adapter_of_words"):
                module.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        train.take_turn(job, job.courses["words"])
        passes.append(len(seen))
        train.fit(config)
    assert passes[1] == 2 * passes[0]
    assert weights_of(frugal) == weights_of(plain)
