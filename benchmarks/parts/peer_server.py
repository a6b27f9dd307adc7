"""What one would write without us: plain FastAPI, and a batcher of some lines that takes what waits, at most 32.

python -m benchmarks.parts.peer_server PORT answers on the loopback, of the champions in ASSAY_HOME:
/noop; /peft, each text task by a PEFT model with a body of its own, all asked at once; /one, one of them alone;
/ours, the same task by our own code behind the same batcher, without a log and without a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

import registry
from benchmarks.parts.peft_model import Peft
from infra.settings import Settings
from serving import loading, service
from serving.places import of_home
from tasks.backbone.load import folder_of
from tasks.backbone.section import BackboneSection

MOST = 32


class Document(BaseModel):
    """What is asked."""

    text: str


class Batcher:
    """Takes what waits, and asks in the one thread that all share."""

    def __init__(self, answer: Callable[[Sequence[str]], list[Any]], thread: ThreadPoolExecutor) -> None:
        self.answer, self.thread = answer, thread
        self.waiting: asyncio.Queue[tuple[str, asyncio.Future[Any]]] = asyncio.Queue()

    async def run(self) -> None:
        """Answer for ever."""
        while True:
            taken = [await self.waiting.get()]
            while len(taken) < MOST and not self.waiting.empty():
                taken.append(self.waiting.get_nowait())
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(self.thread, self.answer, [text for text, _ in taken])
            for (_, future), said in zip(taken, answers, strict=True):
                if not future.done():
                    future.set_result(said)

    async def ask(self, text: str) -> Any:
        """The answer to one text."""
        future = asyncio.get_running_loop().create_future()
        await self.waiting.put((text, future))
        return await future


def main(port: int) -> None:
    """Load everything, then answer until the process is ended."""
    torch.set_num_threads(1)
    settings = Settings()
    places = of_home(settings)
    book = registry.open_registry(*places.registry)
    champions = registry.champions(book)
    release = loading.versions(book, {name: champion.ref for name, champion in champions.items()}, places)
    text = [name for name, served in release.served.items() if served.task.needs == ("text",)]
    thread = ThreadPoolExecutor(1)
    alone, base = {}, folder_of(BackboneSection())
    for name in text:
        folder = registry.fetch(book, champions[name].ref, settings.root / "peer" / name)["model"]
        alone[name] = Batcher(Peft(base, Path(folder), len(release.served[name].task.head.outputs)), thread)
    served = release.served[text[-1]]

    def same(texts: Sequence[str]) -> list[Any]:
        return [
            said.answer
            for said in service.answer(served, [served.task.item.model_validate({"text": each}) for each in texts])
        ]

    uvicorn.run(
        _app(alone, Batcher(same, thread), text[-1]),
        host="127.0.0.1",
        port=port,
        log_level="error",
        access_log=False,
    )


def _app(alone: dict[str, Batcher], ours: Batcher, one: str) -> FastAPI:
    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(batcher.run()) for batcher in (ours, *alone.values())]
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(lifespan=running)

    @app.get("/noop")
    async def noop() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/one")
    async def first(document: Document) -> Any:
        return {"task": one, "probability": await alone[one].ask(document.text)}

    @app.post("/ours")
    async def same(document: Document) -> Any:
        return await ours.ask(document.text)

    @app.post("/peft")
    async def all_of_them(document: Document) -> Any:
        return dict(
            zip(alone, await asyncio.gather(*(each.ask(document.text) for each in alone.values())), strict=True)
        )

    return app


if __name__ == "__main__":
    main(int(sys.argv[1]))
