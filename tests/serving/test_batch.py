"""The queue in front of the model: who shares a pass, who goes first, who is refused, and what is never computed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from serving import batch, fill, metrics, question, service
from serving.outcome import Outcome
from serving.problem import Problem
from tasks.model import forward
from tests.serving.conftest import Asked, some_rows  # type: ignore[import-not-found]

LONG = 60.0  # seconds


class Gate:
    """Stands in the way of every pass until it is opened, and remembers what each pass has read."""

    def __init__(self) -> None:
        self.open, self.waits, self.passes = threading.Event(), threading.Event(), list[dict[str, list[str]]]()
        self.poison = "\0"

    def over(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def features(model: Any, inputs: Any, texts: Any = None) -> Any:
            self.waits.set()
            assert self.open.wait(LONG)
            read = {name: list(rows.text or ()) for name, rows in inputs.items()}
            self.passes.append(read)
            if any(self.poison in text for own in read.values() for text in own):
                raise RuntimeError("poison")
            return real(model, inputs, texts)

        return features


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    found = Gate()
    monkeypatch.setattr(forward, "features_many", found.over(forward.features_many))
    return found


@pytest.fixture
def queue() -> Iterator[batch.Queue]:
    made = batch.start(LONG, metrics.create())
    yield made
    batch.stop(made)


@pytest.fixture
def put(asked: Asked, queue: batch.Queue) -> Callable[..., Future[list[Outcome]]]:
    """Ask a task about texts, by way of the queue."""

    def asks(name: str, *texts: str) -> Future[list[Outcome]]:
        release = asked.parts.release
        items = [release.served[name].task.item(text=text) for text in texts]
        return batch.put(queue, question.of(release, {name: items}, b"s", "one"))

    return asks


def chances(outcomes: list[Outcome]) -> list[dict[str, float]]:
    return [outcome.answer["probability"] for outcome in outcomes]


def held(gate: Gate, put: Callable[..., Any]) -> Future[list[Outcome]]:
    """A first question that keeps the model busy until the gate is opened."""
    first: Future[list[Outcome]] = put("sentiment", "The first question.")
    assert gate.waits.wait(LONG)
    return first


def test_requests_that_wait_share_a_pass_and_are_answered_as_each_alone(asked: Asked, gate: Gate, put: Any) -> None:
    texts = [f"{text} {number}" for number, text in enumerate((some_rows("sentiment").inputs.text or ())[:16])]
    first = held(gate, put)
    answers = [put("sentiment", text) for text in texts]
    gate.open.set()
    found = [chances(answer.result(LONG))[0] for answer in answers]
    first.result(LONG)
    assert len(gate.passes) <= 4, "the first, and the sixteen in few passes of like lengths"
    served = asked.parts.release.served["sentiment"]
    for text, said in zip(texts, found, strict=True):
        alone = chances(service.answer(served, [served.task.item(text=text)]))[0]
        assert said == pytest.approx(alone, abs=1e-6)


def test_a_list_gives_way_to_one_sentence_and_takes_its_turn_again(gate: Gate, put: Any) -> None:
    clause = "We may close any account at any time without a notice to you or to anybody else at all. " * 3
    first = held(gate, put)
    many = put("sentiment", *(f"{number} {clause}" for number in range(200)))
    others = [put("sentiment", f"Sales rose {number}.") for number in range(5)]
    gate.open.set()
    for other in others:
        other.result(LONG)
    assert not many.done(), "five sentences wait for a piece of the list, not for all of it"
    assert len(many.result(LONG)) == 200
    first.result(LONG)
    sizes = [len(read["sentiment"]) for read in gate.passes]
    mine = [place for place, read in enumerate(gate.passes) if any("Sales rose" in text for text in read["sentiment"])]
    assert max(mine) <= 4
    assert max(sizes) < 60
    assert len(sizes) > 10


def test_what_has_begun_is_not_starved_by_what_is_new(gate: Gate, put: Any) -> None:
    clause = "a clause that is as long as all the others and has nothing to say about anything at all " * 3
    many = put("sentiment", *(f"list {number} {clause}" for number in range(40)))
    assert gate.waits.wait(LONG)  # its first piece is under way
    new = [put("sentiment", f"new {number} {clause}") for number in range(60)]
    gate.open.set()
    for each in (many, *new):
        each.result(LONG)
    mixed = [{text.split()[0] for text in read["sentiment"]} for read in gate.passes[1:5]]
    assert {"list"} in mixed, "between passes of new requests a piece of the list has its turn"
    assert any("new" in names for names in mixed)


def test_two_lists_move_on_together(gate: Gate, put: Any) -> None:
    clause = "a term that goes on and on and says that nothing in it is ever certain " * 2
    first = held(gate, put)
    one, two = (put("sentiment", *(f"{name} {number} {clause}" for number in range(80))) for name in ("one", "two"))
    gate.open.set()
    for each in (first, one, two):
        each.result(LONG)
    order = ["".join(sorted({text[:3] for text in read["sentiment"]})) for read in gate.passes[1:]]
    halves = [order[: len(order) // 2], order[len(order) // 2 :]]
    for half in halves:
        assert any("one" in names for names in half)
        assert any("two" in names for names in half)


def test_what_its_client_has_left_is_not_computed(gate: Gate, put: Any) -> None:
    first = held(gate, put)
    left, stays = put("sentiment", "Nobody waits for this."), put("sentiment", "Somebody waits for that.")
    many = put("sentiment", *(f"a long list, item {number}" for number in range(100)))
    assert left.cancel()
    assert many.cancel()
    gate.open.set()
    stays.result(LONG)
    first.result(LONG)
    read = [text for each in gate.passes for text in each["sentiment"]]
    assert read == ["The first question.", "Somebody waits for that."]


def test_a_list_is_given_up_between_two_pieces(gate: Gate, put: Any, queue: batch.Queue) -> None:
    many = put("sentiment", *(f"a list that somebody leaves in the middle of it, item {n} " * 8 for n in range(100)))
    assert gate.waits.wait(LONG)
    assert many.cancel()
    gate.open.set()
    put("sentiment", "The next.").result(LONG)
    assert sum(len(each["sentiment"]) for each in gate.passes) < 100
    assert not queue.begun


def test_who_has_not_begun_by_the_deadline_is_refused_and_told_when_to_come_again(
    gate: Gate, put: Any, queue: batch.Queue
) -> None:
    first = held(gate, put)
    late = put("sentiment", "Too late.")
    queue.deadline = time.monotonic() - queue.fresh[0].since  # it has passed now
    gate.open.set()
    first.result(LONG)
    with pytest.raises(Problem, match="could be begun") as refused:
        late.result(LONG)
    assert refused.value.status == 503
    assert int(refused.value.headers["Retry-After"]) >= 1


def test_more_than_the_queue_holds_are_refused_at_once(gate: Gate, put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = held(gate, put)
    monkeypatch.setattr(batch, "MOST", 2)
    waiting = [put("sentiment", "one"), put("sentiment", "two")]
    with pytest.raises(Problem, match="too many requests wait") as refused:
        put("sentiment", "three")
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    gate.open.set()
    for each in (first, *waiting):
        each.result(LONG)


def test_two_lists_that_say_the_same_are_two(gate: Gate, put: Any) -> None:
    first = held(gate, put)
    same = [put("sentiment", *(f"item {number} of a list that comes twice" for number in range(60))) for _ in range(3)]
    gate.open.set()
    one, other, _ = (chances(each.result(LONG)) for each in same)
    assert all(a == pytest.approx(b, abs=1e-6) for a, b in zip(one, other, strict=True))
    decisions = {outcome.answer["decision"] for each in same for outcome in each.result(LONG)}
    assert len(decisions) == 180
    first.result(LONG)


def test_who_meets_an_idle_model_is_never_late(put: Any, queue: batch.Queue) -> None:
    queue.deadline = 0.0
    assert len(put("sentiment", "Profit rose.").result(LONG)) == 1


def test_a_fault_fails_the_request_that_has_it_and_no_other(gate: Gate, put: Any) -> None:
    first = held(gate, put)
    gate.poison = "poison"
    bad, good = put("sentiment", "This is poison."), [put("sentiment", f"Fine {n}.") for n in range(3)]
    gate.open.set()
    with pytest.raises(RuntimeError, match="poison"):
        bad.result(LONG)
    for each in (first, *good):
        assert len(each.result(LONG)) == 1


def test_a_client_that_leaves_takes_its_question_out_of_the_queue(
    asked: Asked, gate: Gate, put: Any, queue: batch.Queue
) -> None:
    first = held(gate, put)
    release = asked.parts.release
    item = release.served["sentiment"].task.item(text="I do not wait.")

    async def leaves() -> dict[str, Any]:
        while not queue.fresh:
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    with pytest.raises(Problem, match="client left"):
        asyncio.run(batch.ask(queue, release, {"sentiment": [item]}, batch.Caller(100, leaves)))
    gate.open.set()
    first.result(LONG)
    put("sentiment", "The last.").result(LONG)
    assert "I do not wait." not in [text for each in gate.passes for text in each["sentiment"]]


def test_a_pass_is_full_by_its_padded_tokens(asked: Asked) -> None:
    served = asked.parts.release.served["sentiment"]
    units = [question.Unit(served.model, length, length, {"sentiment": (0,)}) for length in (30, 30, 30, 200, 60)]
    pass_of = fill.Fill()
    assert [pass_of.takes(unit) for unit in units] == [True, True, True, False, False]
    assert pass_of.takes(question.Unit(served.model, 0, 16, {"volatility": (0,)}))
    one = fill.Fill()
    assert one.takes(question.Unit(served.model, 4096, 4096, {"sentiment": (0,)})), "what is alone goes"
    assert not one.takes(units[0])
