"""Ray through our door: private, found by name, and gone when it is told to go."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import safetensors.numpy

import tasks
from infra import cluster, jobs
from tasks.data import prepare as data
from tasks.task import Place
from tasks.train import loop as train
from tests.sockets import opened

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """One life of a local Ray in a process whose HOME and temporary folder are empty ones of its own."""
    own = tmp_path_factory.mktemp("own")
    temporary = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))  # short: Ray's sockets lie in it
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "XDG_"))}
    environment |= {"HOME": str(own / "user"), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    (own / "user").mkdir()
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "infra" / "private.py"), str(own / "assay")],
        env=environment, cwd=own, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads(done.stdout.splitlines()[-1])
    return facts | {"own": own, "temporary": temporary}


def test_nothing_is_written_outside_home_and_the_temporary_folder(life):
    assert list((life["own"] / "user").rglob("*")) == []
    assert sorted(path.name for path in life["own"].iterdir()) == ["assay", "user"]


def test_a_local_ray_listens_on_loopback_alone(life):
    assert life["listening"]
    assert {address.removeprefix("::ffff:") for address in life["listening"]} == {"127.0.0.1"}


def test_disconnect_leaves_no_process_and_no_session_folder(life):
    assert life["left"] == []
    assert [path.name for path in life["temporary"].glob("assay-*")] == []


def test_the_token_lies_in_home_and_its_owner_alone_can_read_it(life):
    token = life["own"] / "assay" / "ray_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert len(token.read_text()) == 64


def test_a_refusal_passes_through_in_its_own_words_and_is_not_tried_again(life):
    assert life["refused"] == "train.epochs is -1; give at least 1"
    assert life["starts"] == "x"


def test_a_function_is_found_by_its_name_and_gives_a_dict(ray_local):
    assert cluster.call("json.loads", '{"a": 1}') == {"a": 1}


def test_an_error_on_a_worker_is_the_functions_own(ray_local):
    with pytest.raises(json.JSONDecodeError, match="Expecting ':' delimiter"):
        cluster.call("json.loads", '{"a"')


def test_errors_one_after_another_leave_this_process_alive(ray_local):
    for _ in range(100):
        with pytest.raises(json.JSONDecodeError):
            cluster.call("json.loads", '{"a"')


def test_more_than_the_cluster_has_is_refused_at_once(ray_local):
    with pytest.raises(cluster.NotEnoughMachines, match=r"asks for 4000 CPUs .* lower train.workers"):
        cluster.call("json.loads", "{}", cpus=4000)


def test_an_interrupt_ends_the_training_worker(ray_local, tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.fit(
            "tests.infra.loops.beat", {"out": str(tmp_path / "models")}, jobs.Shape(str(tmp_path), "one"), interrupt
        )
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.2)
    assert not psutil.pid_exists(pid)


def test_an_interrupt_that_c_code_wrapped_comes_out_as_itself():
    wrapped = SystemError("returned a result with an exception set")
    wrapped.__cause__ = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        cluster.raise_interrupt(wrapped)
    cluster.raise_interrupt(SystemError("of its own"))
    cluster.raise_interrupt(ValueError("no interrupt"))


def test_progress_is_told_once_a_step_and_half_a_line_is_left_for_later(tmp_path):
    path, told = tmp_path / "progress.jsonl", []
    progress = jobs._Progress(path)
    progress.tell(told.append)
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    progress.tell(told.append)
    with path.open("a") as file:
        file.write('ep": 3}\n{"step": 2}\n{"step": 4}\n')
    progress.tell(told.append)
    assert [line["step"] for line in told] == [1, 2, 3, 4]


def test_an_unreachable_cluster_is_told_with_its_cure():
    with pytest.raises(
        cluster.ClusterUnreachable, match=r"ASSAY_RAY_ADDRESS='127.0.0.1:1' .*refused.*unset ASSAY_RAY_ADDRESS"
    ):
        cluster._join("127.0.0.1:1")
    with pytest.raises(cluster.ClusterUnreachable, match="start it"):
        cluster._join("nowhere")


def learn(
    folder: Path, workers: int = 1, on_progress=None, *, least: int = 0, storage: str = "", **settings
) -> tuple[dict, dict[str, bytes]]:
    """Train a task with text on a tiny body through Ray, or alone in this process for `workers=0`."""
    source = Place(root=None, seed=7)
    rows = tasks.get("sentiment").sources["embedded"].read(source)
    folder.mkdir()
    for side, index in (("train", np.arange(0, 240)), ("valid", np.arange(240, 304))):
        data.save_rows(rows.take(index), folder / f"{side}.parquet")
    config = {
        "backbone": {"name": "tiny-bert"},
        "lora": {"layers": 1, "rank": 2, "dropout": 0.0 if workers != 1 else 0.05, **settings.pop("lora", {})},
        "train": {
            "epochs": 4,
            "batch_size": 16,
            "threads": 1,
            "checkpoint_every": 5,
            "patience": 99,
            "learning_rate": 0.01,
            **settings,
        },
        "tasks": {
            "sentiment": {"section": {}, **{side: str(folder / f"{side}.parquet") for side in ("train", "valid")}}
        },
        "out": str(folder / "models"),
    }
    if workers:
        shape = jobs.Shape(storage or str(folder / "checkpoints"), "run", workers, least)
        told = jobs.fit("tasks.train.loop.fit", config, shape, on_progress or (lambda _: None))
    else:
        told = train.fit(config)
    out = folder / "models"
    return told, {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_a_worker_killed_after_the_first_committed_checkpoint_changes_no_byte(ray_local, tmp_path):
    _, alone = learn(tmp_path / "alone", workers=0, lora={"dropout": 0.05})
    snapshot = tmp_path / "ray" / "checkpoints" / "run" / "checkpoint_manager_snapshot.json"
    killed = []

    def kill_once():
        while not killed:
            if snapshot.exists() and "checkpoint_" in snapshot.read_text():
                workers = [each for each in psutil.process_iter(["name", "cmdline"]) if is_ours(each)]
                for worker in workers:
                    worker.kill()
                    killed.append(worker.pid)
            time.sleep(0.05)

    thread = threading.Thread(target=kill_once, daemon=True)
    thread.start()
    told, through_ray = learn(tmp_path / "ray", workers=1, epochs=4)
    assert len(killed) == 1
    assert told["resumed"] > 0
    assert through_ray == alone


def is_ours(process: psutil.Process) -> bool:
    """Whether a process is a train worker of the Ray that these tests started; other runs may share the machine."""
    if not "".join(process.info["cmdline"] or []).startswith("ray::RayTrainWorker"):
        return False
    return psutil.Process() in process.parents()


def test_two_workers_learn_what_one_learns(ray_local, tmp_path):
    _, one = learn(tmp_path / "one", workers=0)
    listening = set()

    def look(event):
        listening.update(address for _, address, _ in opened(psutil.Process().children(recursive=True)))

    told, two = learn(tmp_path / "two", workers=2, on_progress=look)
    assert told["steps"] == 60
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert sorted(one) == sorted(two)
    for name in ("sentiment/adapter_model.safetensors", "sentiment/head.safetensors"):
        first, second = safetensors.numpy.load(one[name]), safetensors.numpy.load(two[name])
        for key, value in first.items():
            np.testing.assert_allclose(second[key], value, atol=1e-4, rtol=0, err_msg=key)


def test_a_body_that_is_split_over_two_workers_learns_what_a_whole_one_learns(ray_local, tmp_path):
    _, one = learn(tmp_path / "one", workers=0)
    _, two = learn(tmp_path / "two", workers=2, shard=True, recompute=True)
    for name in ("sentiment/adapter_model.safetensors", "sentiment/head.safetensors"):
        first, second = safetensors.numpy.load(one[name]), safetensors.numpy.load(two[name])
        assert sorted(first) == sorted(second)
        for key, value in first.items():
            np.testing.assert_allclose(second[key], value, atol=1e-4, rtol=0, err_msg=key)


def test_an_elastic_job_starts_with_the_workers_that_there_are(ray_local, tmp_path):
    import ray

    kept = ray.util.placement_group([{"CPU": 0.5}])  # as what an interrupt left behind, or a served replica
    ray.get(kept.ready())
    _, one = learn(tmp_path / "one", workers=0)
    _, some = learn(tmp_path / "some", workers=500, least=1)
    for key, value in safetensors.numpy.load(one["sentiment/adapter_model.safetensors"]).items():
        found = safetensors.numpy.load(some["sentiment/adapter_model.safetensors"])[key]
        np.testing.assert_allclose(found, value, atol=1e-4, rtol=0, err_msg=key)
    ray.util.remove_placement_group(kept)


def test_checkpoints_lie_where_the_url_says_and_a_second_job_goes_on_from_them(ray_local, tmp_path):
    url = f"file://{tmp_path / 'elsewhere'}"
    told, first = learn(tmp_path / "first", storage=url)
    assert told["resumed"] == 0
    assert list((tmp_path / "elsewhere" / "run").glob("checkpoint_*/manifest.json"))
    again, second = learn(tmp_path / "second", storage=url)
    assert again["resumed"] > 0
    assert first == second
