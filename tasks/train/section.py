"""`[train]`: how long, how fast, how wide. Read without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.task import Section


class TrainSection(Section):
    """`[train]`: how long, how fast, how wide. A task's own `epochs` and `learning_rate` go before these.

    batch_size_numeric  rows per step of a task whose rows hold no text: its steps are cheap. It grows where an epoch
                        would have more than 512 steps
    folds               of the cross-fitted classical answers; two from 100,000 rows on
    sweep               learning rates that every task tries; the worse half stops after each epoch (successive halving)
    checkpoint_every    steps; patience counts checks without a better loss; temperature as in mixture.shares
    least_workers       below `workers` the job is elastic: it starts with these and takes more when they come
    recompute           forget the activations of the body's blocks and compute them again for the backward pass: less
                        memory, a third more time; for large bodies (activation checkpointing)
    shard               split the frozen body over the workers (FSDP2), for one that a single card cannot hold
    bf16                the body under autocast; "auto" where this machine computes in bfloat16 itself
    reward_steps        after the epochs, of learning from executed rewards; only for a task that writes programs
    threads             of each worker; the last digits of the weights depend on it
    """

    epochs: int = Field(4, ge=1)
    batch_size: int = Field(32, ge=1)
    batch_size_numeric: int = Field(128, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    sweep: tuple[Annotated[float, Field(gt=0)], ...] = ()
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    temperature: float = Field(2.0, ge=1)
    folds: int = Field(5, ge=2)
    checks_per_epoch: int = Field(2, ge=1)
    patience: int = Field(4, ge=1)
    checkpoint_every: int = Field(100, ge=1)
    workers: int = Field(1, ge=1)
    least_workers: int = Field(0, ge=0)
    recompute: bool = False
    shard: bool = False
    bf16: Literal["auto", "on", "off"] = "off"
    gpus_per_worker: float = Field(0, ge=0)
    reward_steps: int = Field(0, ge=0)
    threads: int = Field(2, ge=1)
    seed: int = Field(7, ge=0)
