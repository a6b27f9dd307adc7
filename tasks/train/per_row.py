"""The gradient of each row apart, clipped and added up, in one backward pass over the batch.

A linear layer's gradient of one row is the sum over its tokens of (what came back) times (what went in); a norm's is
alike. Hooks keep both for the layers that learn, so that nothing is computed twice (Goodfellow 2015, arXiv:1510.01799).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import torch
from torch.nn import functional

KINDS = (torch.nn.Linear, torch.nn.LayerNorm)


class PerRow:
    """Hooks on the layers that own `weights`; inside a `with` block `clipped` gives sums of clipped gradients.

    Raises ValueError for a weight that no linear layer and no norm owns: its rows could not be told apart.
    """

    def __init__(self, modules: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
        self._names = {id(weight): name for name, weight in weights.items()}
        self._layers = {
            name: module for name, module in modules.items() if isinstance(module, KINDS) and self._own(module)
        }
        owned = {name for module in self._layers.values() for name in self._own(module).values()}
        if lost := sorted(set(weights) - owned):
            raise ValueError(
                f"{lost[0]} belongs to no linear layer or norm, so its rows cannot be clipped; leave it out"
            )
        self._went_in: dict[str, Any] = {}
        self._came_back: dict[str, Any] = {}
        self._hooks: list[Any] = []

    def _own(self, module: Any) -> dict[str, str]:
        """Attribute -> name, of the weights of a layer that learn."""
        held = module.named_parameters(recurse=False)
        return {key: self._names[id(value)] for key, value in held if id(value) in self._names}

    def __enter__(self) -> Self:
        self._hooks = [
            module.register_forward_hook(lambda _, given, output, name=name: self._keep(name, given[0], output))
            for name, module in self._layers.items()
        ]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for hook in self._hooks:
            hook.remove()

    def _keep(self, name: str, given: Any, output: Any) -> None:
        self._went_in[name] = given.detach()
        if output.requires_grad:
            output.register_hook(lambda gradient: self._came_back.__setitem__(name, gradient.detach()))

    def clipped(self, losses: Callable[[], Any], clip: float) -> tuple[dict[str, Any], Any]:
        """By name of a weight the sum over the rows of their clipped gradients; and their lengths (n,) before.

        `losses` gives the loss (n,) of each row. What is left in the weights' own `grad` says nothing of the rows.
        """
        self._went_in.clear()
        self._came_back.clear()
        outputs = [module.weight for module in self._layers.values()]
        torch.autograd.grad(losses().sum(), outputs, allow_unused=True)
        rows = {key: value for name in self._came_back for key, value in self._of_layer(name).items()}
        squares = torch.stack([value.flatten(1).pow(2).sum(1) for value in rows.values()]).sum(0)
        lengths = squares.sqrt()
        share = (clip / lengths.clamp(min=1e-12)).clamp(max=1.0)
        return {key: torch.tensordot(share, value, 1) for key, value in rows.items()}, lengths

    def _of_layer(self, name: str) -> dict[str, Any]:
        """By name of a weight its gradients (n, *shape)."""
        module, own = self._layers[name], self._own(self._layers[name])
        given, back = self._went_in[name], self._came_back[name]
        if given.dim() == 2:
            given, back = given[:, None], back[:, None]
        if isinstance(module, torch.nn.Linear):
            found = {"weight": torch.bmm(back.transpose(1, 2), given) if "weight" in own else None}
        else:
            normed = functional.layer_norm(given, module.normalized_shape, eps=module.eps)
            found = {"weight": (back * normed).sum(1)}
        found["bias"] = back.sum(1)
        return {name: found[key] for key, name in own.items()}
