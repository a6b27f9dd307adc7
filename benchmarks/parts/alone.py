"""Ours alone, in an open loop: a question without a model, a sentence beside long lists, three times too many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.parts import load, served
from benchmarks.parts.against import DEMO, WAITS, WARM, Ground

PATH, LISTS = "/v1/tasks/sentiment", "/v1/tasks/compliance"
NONE: Mapping[str, Any] = {"peer": None, "peer_name": None, "ratio": None}
CLAUSE = 300  # words of each of 256: longer than the window of the body


def noop(ground: Ground) -> list[dict[str, Any]]:
    """/healthz, one client that asks again and again: what Ray, HAProxy and the door cost."""
    with served.ours(ground.home(2, DEMO)) as own:
        load.closed(own.at("/healthz", get=True), 1, WARM)
        before = own.cpu()
        heard = load.closed(own.at("/healthz", get=True), 1, ground.seconds)
        spent = round(1000 * (own.cpu() - before) / heard.asked, 3)
    return [
        _row("noop_p50_ms", heard.at(0.5), "ms", 1.5, cpu_ms=spent),
        _row("noop_p99_ms", heard.at(0.99), "ms", 6.0, codes=heard.codes),
    ]


def beside_lists(ground: Ground) -> list[dict[str, Any]]:
    """A sentence now and then, while another client sends one list of 256 long clauses after the other."""
    with served.ours(ground.home(2, DEMO), [WAITS]) as own:
        load.closed(own.at(PATH), 1, WARM)
        lists = own.at(LISTS, size=256, words=CLAUSE)
        heard = load.open_loop(own.at(PATH), 5.0, max(ground.seconds, 40), beside=lists)
    return [_row("beside_lists_p99_ms", heard.at(0.99), "ms", 300.0, p50_ms=heard.at(0.5), codes=heard.codes)]


def overload(ground: Ground) -> list[dict[str, Any]]:
    """Three times as many as can be answered, beside four fifths of them; the deadline is the shipped one."""
    with served.ours(ground.home(2, DEMO)) as own:
        load.closed(own.at(PATH), 16, WARM)
        most = load.closed(own.at(PATH), 32, ground.seconds)
        rate = len(most.good) / most.wall
        calm = load.open_loop(own.at(PATH), 0.8 * rate, ground.seconds)
        flood = load.open_loop(own.at(PATH), 3 * rate, ground.seconds)
    others = {code: count for code, count in flood.codes.items() if code != "200"}
    told = flood.mute == 0 and set(others) <= {"429", "503"}
    ratio = round(flood.at(0.99) / calm.at(0.99), 3)
    found = _row("overload_p99", ratio, "times", 2.0, p99_ms=[flood.at(0.99), calm.at(0.99)], refused=others)
    return [{**found, "pass": ratio <= 2.0 and told, "per_second": round(rate, 1), "without_retry_after": flood.mute}]


def _row(case: str, value: float, unit: str, bar: float, **more: Any) -> dict[str, Any]:
    return {"case": case, "ours": value, "unit": unit, **NONE, **more, "bar": f"at most {bar:g}", "pass": value <= bar}
