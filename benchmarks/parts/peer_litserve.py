"""One task behind LitServe, as its documentation has it: batches of what waits.

python -m benchmarks.parts.peer_litserve PORT, in an environment of its own.
"""

from __future__ import annotations

import sys

import litserve  # type: ignore[import-not-found,unused-ignore]

from benchmarks.parts.peft_model import named


class Sentiment(litserve.LitAPI):
    """The adapted body of one task."""

    def setup(self, device: str) -> None:
        """Load it once."""
        self.model = named()

    def decode_request(self, request: dict[str, str]) -> str:
        """The text of a request."""
        return request["text"]

    def predict(self, texts: list[str]) -> list[list[float]]:
        """Probabilities of each text of a batch."""
        return self.model(texts)

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        """One answer."""
        return {"probability": output}


if __name__ == "__main__":
    api = Sentiment(max_batch_size=32, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="error", generate_client_file=False)
