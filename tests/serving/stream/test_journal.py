"""The instruments on disk: the same after a kill, in files that do not grow old, of one detector, for one process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.stream import journal
from serving.stream.instruments import Instruments, Sent
from serving.stream.ticks import Tick
from tasks.anomaly import stream as detector

from .conftest import Stream, ask, listed, opened, tick, walk

ROOT = Path(__file__).resolve().parents[3]


KILLED = """
import asyncio, sys
from pathlib import Path
from serving import metrics
from serving.stream import figures, journal, ticks
from serving.stream.engine import Engine

from serving.stream.judge import Judge
from tasks.validate.calibration import Calibration
journal.SNAPSHOT_SECONDS, journal.SLICES = 0.05, 3
async def main():
    line = Judge("anomaly@1", "d", {"intercept": 0.5, "slope": 3.7, "above": -8.0, "silent": -2.0}, Calibration())
    engine = Engine(journal.Journal(Path(sys.argv[1])), line, lambda *_: None, figures.create(metrics.create()))
    for line in sys.stdin:
        found, many = ticks.read(line)
        print(ticks.write(await engine.put("default", found), many), flush=True)
asyncio.run(main())
"""


def test_a_process_that_is_killed_has_lost_no_tick_that_it_answered(tmp_path: Path) -> None:
    names, count = [f"I{number}" for number in range(8)], 160
    values = [walk(count, seed) for seed in range(len(names))]
    first = [json.dumps(listed(name, each[:70])) for name, each in zip(names, values, strict=True)]
    later = [json.dumps([tick(n, at, v[at]) for n, v in zip(names, values, strict=True)]) for at in range(70, count)]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join([*first, *later[:50], ""]))
        process.stdin.flush()
        said = [json.loads(process.stdout.readline()) for _ in range(len(first) + 35)]
        process.send_signal(signal.SIGKILL)  # with up to 15 messages on their way
    after = opened(tmp_path)
    with after.open() as socket:  # the client sends again what was not answered
        said += [ask(socket, message) for message in later[35:]]
    after.engine.close()
    alone = {name: detector.scores(each) for name, each in zip(names, values, strict=True)}
    given = [one for message in said for one in message if one["score"] is not None]
    assert [one for one in given if one["score"] != alone[one["instrument"]][one["seq"] - 1]] == []
    assert {one.get("why") for one in given} <= {None, "duplicate"}
    assert [one["seq"] for one in said[-1]] == [count] * len(names)  # none is lost, none was taken twice
    assert len(given) > len(names) * (count - 70 - 20)


def test_no_file_of_a_journal_grows_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr(journal, "SLICES", 4)
    values = walk(100, 4)
    ticks = [Tick.model_validate_json(json.dumps(each), strict=True) for each in listed("A", values)]
    written = journal.Journal(tmp_path)
    known = written.recover()
    for at, each in enumerate(ticks):
        if at % 11 == 10:  # it ends and begins anew again and again
            written.close()
            written = journal.Journal(tmp_path)
            known = written.recover()
        written.write(known, known.take([Sent("default", each)], 10**18))
    assert len(list((tmp_path / "stream").glob("*.log"))) <= 6
    written.close()
    again = journal.Journal(tmp_path)
    instrument = again.recover().known["default", "A"]
    assert (instrument.seq, instrument.score) == (100, detector.scores(values)[-1])
    again.close()


def test_a_history_of_another_detector_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen() -> Instruments:
        written = journal.Journal(tmp_path)
        known = written.recover()
        written.write(
            known, known.take([Sent("default", Tick.model_validate(tick("A", 0, 1.0) | {"time": FIRST_TIME}))], 10**18)
        )
        written.close()
        return known

    FIRST_TIME = datetime(2026, 1, 5, tzinfo=UTC)
    assert seen().known["default", "A"].seq == 1
    monkeypatch.setattr(journal, "detector", lambda: "other")
    assert seen().known["default", "A"].seq == 1  # anew


def test_one_process_at_a_time_takes_the_ticks_of_a_home(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.0)
    with pytest.raises(ValueError, match="another process"):
        journal.Journal(stream.engine.journal.folder.parent)
