"""F9 on the stream: its replica is killed between ticks; none is lost or taken twice, and no score is another one."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from benchmarks.chaos.running import START_SECONDS, Service
from serving.gateway import STREAM, STREAMED
from tasks.anomaly import stream as detector

INSTRUMENTS, HISTORY, LIVE = 20, 128, 40  # series, ticks of each before the first kill, and ticks around each kill
BEGUN = 1_767_225_600  # Unix seconds of the first tick
REPLICA = "ServeReplica:stream"


@dataclass
class Client:
    """One connection, opened anew where it breaks; what was not answered is then sent again."""

    service: Service
    again: int = 0
    socket: ClientConnection | None = None
    scores: dict[tuple[int, int], float | None] = field(default_factory=dict)
    odd: int = 0

    def tick(self, values: Any, at: int) -> None:
        """One tick of every instrument, until it is answered. Raises TimeoutError where no stream comes back."""
        said = json.dumps(
            [{"instrument": f"I{own}", "time": BEGUN + at, "value": float(row[at])} for own, row in enumerate(values)]
        )
        end = time.monotonic() + START_SECONDS
        while (answers := self._asked(said)) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"the stream did not come back within {START_SECONDS:.0f} s")
            self.again += 1
            time.sleep(0.2)
        for own, answer in enumerate(answers):
            self.odd += answer["seq"] != at + 1
            self.scores[own, at] = answer["score"]

    def _asked(self, message: str) -> Any:
        try:
            if self.socket is None:
                secret = (self.service.home / "token").read_text(encoding="utf-8").strip()
                address = f"{self.service.url.replace('http', 'ws', 1)}{STREAM}/{STREAMED}"
                self.socket = connect(address, additional_headers={"Authorization": f"Bearer {secret}"})
            self.socket.send(message)
            return json.loads(self.socket.recv(timeout=30))
        except (OSError, EOFError, ConnectionClosed, InvalidHandshake, TimeoutError):
            self.close()
            return None

    def close(self) -> None:
        """End the connection, if there is one."""
        if self.socket is not None:
            with contextlib.suppress(OSError, ConnectionClosed):
                self.socket.close()
        self.socket = None


def killed(service: Service, times: int) -> dict[str, Any]:
    """Kill -9 the replica in the middle of the ticks, `times` over; hold every score against the whole series' at once.

    `odd` counts ticks whose place in their series is another one than was sent: lost, or taken twice.
    """
    values = np.random.default_rng(times).standard_normal((INSTRUMENTS, HISTORY + LIVE * times)).cumsum(axis=1)
    client, back = Client(service), 0.0
    for at in range(values.shape[1]):
        dies = at >= HISTORY and (at - HISTORY) % LIVE == LIVE // 2
        if dies:
            for victim in service.family(REPLICA):
                victim.kill()
        began = time.monotonic()
        client.tick(values, at)
        back = max(back, time.monotonic() - began) if dies else back
    client.close()
    alone = [detector.scores(row) for row in values]
    heard = {key: score for key, score in client.scores.items() if key[1] >= HISTORY}
    different = sum(bool(score != alone[own][at]) for (own, at), score in heard.items() if score is not None)
    without = sum(score is None for score in heard.values())
    passed = not different and not without and not client.odd and client.again >= times
    return {
        "kills": times,
        "scores": len(heard),
        "different": different,
        "without": without,
        "odd": client.odd,
        "back_s": back,
        "pass": passed,
    }
