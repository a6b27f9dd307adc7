"""One task behind BentoML, as its documentation has it: a service whose API is batched while questions wait.

bentoml serve benchmarks.parts.peer_bentoml:Sentiment --port PORT, in an environment of its own.
"""

from __future__ import annotations

import bentoml  # type: ignore[import-not-found,unused-ignore]

from benchmarks.parts.peft_model import named


@bentoml.service(workers=1, traffic={"timeout": 60})
class Sentiment:
    """The adapted body of one task."""

    def __init__(self) -> None:
        self.model = named()

    @bentoml.api(batchable=True, max_batch_size=32)
    def predict(self, text: list[str]) -> list[list[float]]:
        """Probabilities of each text."""
        return self.model(text)
