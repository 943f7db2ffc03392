"""Kills at moments drawn by chance: of workers, of the command line, of who imports, renames or deletes. After each
everything is started again, and in the end every run is as if nobody had disturbed it."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from semidml.disk import files
from semidml.runs import changes, listing, transfer
from semidml.runs.run import Run
from tests.faults.lives import (
    ENDINGS,
    MOMENTS,
    Campaign,
    command_environment,
    content,
    end_process,
    heed_signals,
    is_alive,
    setting,
    start_command,
    wait_for_moment,
    words_for,
)
from tests.test_jobs import until

AS_IF = "the run is interrupted or stopped, what is there of it equals an undisturbed run's, and it can be resumed"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    made = Campaign(tmp_path_factory.mktemp("kills"))
    yield made
    made.close()


@pytest.mark.often(2, 100)
def test_a_worker_is_killed(campaign, tell, number):
    chance = random.Random(f"worker {number}")
    moment, how = chance.choice(list(MOMENTS)), chance.choice(ENDINGS)
    supervisor = campaign.supervisor
    if campaign.run is None:
        run = campaign.run = supervisor.submit(campaign.next_config())
    else:
        run = campaign.run
        supervisor.resume(run.id)
    tell(f"{how} to the worker when {run.id} {moment}", AS_IF)

    def goes_on() -> bool:
        return run in supervisor.queue() or run == supervisor.running()

    until(lambda: supervisor.training.pid)
    wait_for_moment(run, moment, chance, goes_on)
    if (pid := supervisor.training.pid) is not None:
        end_process(pid, how)
    until(lambda: not goes_on())
    campaign.check(run)
    if run.status().state == "done":
        campaign.finished.append(run)
        campaign.run = None


def test_runs_whose_workers_were_killed_end_as_if_nobody_had(campaign, tell):
    tell("every run that is left was resumed", "all end with the records, frames and weights of undisturbed ones")
    if campaign.run is not None:
        campaign.supervisor.resume(campaign.run.id)
        campaign.finished.append(campaign.trained(campaign.run))
    for run in campaign.finished:
        campaign.check(run)
        assert run.status().state == "done"


@pytest.mark.often(1, 5)
def test_a_run_of_the_command_line_is_killed_until_it_is_done(campaign, tmp_path, pytestconfig, tell, number):
    chance, config = random.Random(f"command {number}"), campaign.next_config()
    run, kills = Run(tmp_path / "by-hand"), []
    words = ["train", *words_for(config), "--device=cpu", f"--out={run.path}"]
    for _ in range(3 if pytestconfig.getoption("whole") else 1):
        moment, how = chance.choice(list(MOMENTS)), chance.choice(ENDINGS)
        kills.append(f"{how} when it {moment}")
        process = start_command(tmp_path, *words)
        if moment == "begins" and not run.path.exists():
            until(lambda: run.path.is_dir() and (run.path / "status.json").exists())
        until(lambda process=process: run.path.is_dir() and (run.status().active or process.poll() is not None))
        wait_for_moment(run, moment, chance, lambda process=process: is_alive(process.pid))
        end_process(process.pid, how)
        process.communicate()
        if not run.path.exists():  # told to end before anything was trained, it leaves nothing: the same command again
            assert how != "SIGKILL"
            continue
        if run.status().state == "queued":
            assert run.is_orphan()
        else:
            campaign.check(run)
        if run.status().state == "done":
            break
        words = ["runs", "resume", str(run.path)]
    tell(f"{', then '.join(kills)}, to the command line", AS_IF)
    if not run.path.exists() or run.status().state != "done":
        _, error = start_command(tmp_path, *words).communicate()
        assert run.status().state == "done", error
    campaign.check(run)


ACTS = """
import io, sys
import numpy as np
from semidml.config import RunConfig
from semidml.runs import changes, listing, transfer
packed = open(sys.argv[1], "rb").read()
transfer.import_zip(io.BytesIO(packed), "first")
print("ready", flush=True)
for number in range(10_000):
    run = changes.rename(transfer.import_zip(io.BytesIO(packed), f"in-{number}"), f"named-{number}")
    run.keep_projection("pca-1", places=np.zeros((1000, 2)))
    transfer.export_zip(run, io.BytesIO())
    other = listing.create_run(RunConfig(), f"new-{number}")
    changes.delete(run if number % 3 else other)
"""


@pytest.fixture(scope="module")
def whole(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """(a finished run's zip, the run's content)."""
    run = campaign.trained(campaign.supervisor.submit(setting(0)))
    path = tmp_path_factory.mktemp("zips") / "run.zip"
    with open(path, "wb") as file:
        transfer.export_zip(run, file)
    return path, content(run)


@pytest.mark.often(1, 40)
def test_who_imports_renames_makes_or_deletes_is_killed(whole, tmp_path, monkeypatch, tell, number):
    chance = random.Random(f"act {number}")
    how, seconds = chance.choice(("SIGKILL", "SIGTERM", "SIGINT")), chance.uniform(0, 1)
    tell(
        f"{how} {seconds:.3f} s into imports, renames, projections, new runs and deletions",
        "each run listed is whole or says what it lacks, and is deleted; what is left besides is swept in an hour",
    )
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    path, expected = whole
    words = [sys.executable, "-c", ACTS, str(path)]
    with subprocess.Popen(words, env=command_environment(), stdout=-1, stderr=-1, preexec_fn=heed_signals) as process:
        assert process.stdout.readline() == b"ready\n", process.stderr.read()
        time.sleep(seconds)
        end_process(process.pid, how)
        process.communicate()
    for run in listing.list_runs(include_shipped=False):
        if run.status().state == "done":
            own = content(run)
            own = {name: value for name, value in own.items() if not name.startswith("projections/")}
            own.pop("lock", None)  # of who was killed while it held it: whoever comes next takes it
            assert own == expected, run
        else:
            assert run.is_orphan() or "status.json is missing" in run.status().reason, run.status()
        changes.delete(run)
    rest = {left.name for left in (tmp_path / "runs").iterdir()}
    hidden = {name for name in rest if name.startswith((".new-", ".import-", ".deleted-"))}
    hidden |= {".quota.lock"}  # of who was killed while it held it: whoever comes next takes it
    assert not any(list((tmp_path / "runs" / name).iterdir()) for name in rest - hidden), rest
    hour = time.time() - 2 * files.STALE_SECONDS
    for left in (tmp_path / "runs").iterdir():
        os.utime(left, (hour, hour))
    listing.create_run(setting(0), "new-0")
    rest = {left.name for left in (tmp_path / "runs").iterdir() if left.name.startswith(".")}
    assert not rest, f"left behind: {rest}"
