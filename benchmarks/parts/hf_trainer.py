"""The peer: one HF Trainer + PEFT run for one text task, as their documentation recommends. Imports nothing of ours.

python hf_trainer.py CONFIG.json train    one run per learning rate, the best on the validation loss is kept
python hf_trainer.py CONFIG.json test     its logits on the test rows, as test.npy
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import AutoPeftModelForSequenceClassification, LoraConfig, TaskType, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


class Lines(torch.utils.data.Dataset):
    """JSON lines {"text", "labels"} as token ids."""

    def __init__(self, path: str, tokenizer: Any) -> None:
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
        self.ids = tokenizer([row["text"] for row in rows], truncation=True)["input_ids"]
        self.labels = [row["labels"] for row in rows]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.ids[index], "labels": self.labels[index]}


def fresh(config: dict[str, Any]) -> Any:
    """A body with a new classification head and new adapters."""
    body = AutoModelForSequenceClassification.from_pretrained(
        config["body"], num_labels=config["outputs"], problem_type=config["problem"]
    )
    lora = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=config["rank"],
        lora_alpha=config["alpha"],
        lora_dropout=config["dropout"],
        target_modules="all-linear",
    )
    return get_peft_model(body, lora)


def arguments(config: dict[str, Any], rate: float, order: str = "group_by_length") -> TrainingArguments:
    """Length grouping, an evaluation per epoch, the best epoch kept."""
    return TrainingArguments(
        output_dir=str(Path(config["out"]) / f"{rate:g}"),
        learning_rate=rate,
        num_train_epochs=config["epochs"],
        max_steps=config.get("max_steps", -1),
        per_device_train_batch_size=config["batch_size"],
        per_device_eval_batch_size=64,
        weight_decay=0.01,
        warmup_steps=0.1,
        train_sampling_strategy=order,
        eval_strategy="no" if "max_steps" in config else "epoch",
        save_strategy="no" if "max_steps" in config else "epoch",
        load_best_model_at_end="max_steps" not in config,
        save_total_limit=1,
        bf16=config["bf16"],
        use_cpu=True,
        seed=config["seed"],
        report_to="none",
        disable_tqdm=True,
    )


def learn(config: dict[str, Any]) -> None:
    """A run per learning rate; the one with the least validation loss is saved."""
    tokenizer = AutoTokenizer.from_pretrained(config["body"])
    train, valid = (Lines(config[side], tokenizer) for side in ("train", "valid"))
    least = float("inf")
    for rate in config["rates"]:
        set_seed(config["seed"])
        trainer = Trainer(
            model=fresh(config),
            args=arguments(config, rate),
            train_dataset=train,
            eval_dataset=valid,
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
        if "max_steps" in config:
            continue
        loss = trainer.evaluate()["eval_loss"]
        if loss < least:
            least = loss
            trainer.model.save_pretrained(Path(config["out"]) / "best")


def test(config: dict[str, Any]) -> None:
    """Logits of the best run on the test rows, in their order: length grouping reorders predictions, too."""
    tokenizer = AutoTokenizer.from_pretrained(config["body"])
    model = AutoPeftModelForSequenceClassification.from_pretrained(
        Path(config["out"]) / "best", num_labels=config["outputs"], problem_type=config["problem"]
    )
    trainer = Trainer(
        model=model,
        args=arguments(config, config["rates"][0], order="sequential"),
        eval_dataset=Lines(config["valid"], tokenizer),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    rows = Lines(config["test"], tokenizer)
    found = trainer.predict(rows)
    if not np.array_equal(found.label_ids, np.array(rows.labels, dtype=found.label_ids.dtype)):
        raise RuntimeError("the Trainer gave its predictions in another order than the rows")
    np.save(Path(config["out"]) / "test.npy", found.predictions)


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    (learn if sys.argv[2] == "train" else test)(told)
