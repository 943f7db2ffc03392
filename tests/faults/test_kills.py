"""Kills at moments drawn by chance: of workers, of the command line, of who imports, renames or deletes. After each
everything is started again, and in the end every run is as if nobody had disturbed it."""

import random
from collections.abc import Iterator

import pytest

from semidml.runs.run import Run
from tests.faults.lives import (
    ENDINGS,
    MOMENTS,
    Campaign,
    end_process,
    is_alive,
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


@pytest.mark.often(4, 100)
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
def test_a_run_of_the_command_line_is_killed_until_it_is_done(campaign, tmp_path, tell, number):
    chance, config = random.Random(f"command {number}"), campaign.next_config()
    run, kills = Run(tmp_path / "by-hand"), []
    words = ["train", *words_for(config), "--device=cpu", f"--out={run.path}"]
    for _ in range(3):
        moment, how = chance.choice(list(MOMENTS)), chance.choice(ENDINGS)
        kills.append(f"{how} when it {moment}")
        process = start_command(tmp_path, *words)
        if moment == "begins" and not run.path.exists():
            until(lambda: run.path.is_dir() and (run.path / "status.json").exists())
        until(lambda process=process: run.path.is_dir() and (run.status().active or process.poll() is not None))
        wait_for_moment(run, moment, chance, lambda process=process: is_alive(process.pid))
        end_process(process.pid, how)
        process.communicate()
        if run.status().state == "queued":
            assert run.is_orphan()
        else:
            campaign.check(run)
        if run.status().state == "done":
            break
        words = ["runs", "resume", str(run.path)]
    tell(f"{', then '.join(kills)}, to the command line", AS_IF)
    if run.status().state != "done":
        _, error = start_command(tmp_path, "runs", "resume", str(run.path)).communicate()
        assert run.status().state == "done", error
    campaign.check(run)
