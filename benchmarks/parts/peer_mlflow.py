"""One task behind MLflow, as its documentation has it: a model from code, which `mlflow models serve` answers with.

python -m benchmarks.parts.peer_mlflow FOLDER writes the model, in an environment of its own.
"""

from __future__ import annotations

import sys

import mlflow  # type: ignore[import-not-found,unused-ignore]
from mlflow.models import set_model  # type: ignore[import-not-found,unused-ignore]

from benchmarks.parts.peft_model import named


class Sentiment(mlflow.pyfunc.PythonModel):
    """The adapted body of one task."""

    def load_context(self, context: object) -> None:
        """Load it once."""
        self.model = named()

    def predict(self, model_input: list[str]) -> list[list[float]]:
        """Probabilities of each text."""
        return self.model(model_input)


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=__file__)
else:
    set_model(Sentiment())
