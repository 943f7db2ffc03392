"""The app's background threads: they keep worker processes, give them one job after the other, and outlive no app.

`jobs()` is the one supervisor of a runs' folder in this process; any thread may call it. One worker, kept warm, trains:
runs go on in it, whatever happens to a page; what they do is in their folders. Another one, started when it is first
needed, answers what is long and native, and so may take its process with it: projections, forest and MLP, mixtures, all
rows at once. Neither waits for the other, and the app outlives both:

    jobs().plane(run, 5, "tsne", latents, progress)    float32 (n, 2), or ValueError in words

Visitors take turns: each has one run in a round, however many it has waiting, and those of a round go in the order in
which they came.
"""

import atexit
import itertools
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from semidml import planes
from semidml.config import RunConfig
from semidml.explore.points import compute_plane
from semidml.explore.prior import Fitted
from semidml.jobs.lane import COLD, WORKER, Job, Lane
from semidml.runs import changes, listing, places, ready
from semidml.runs.parent import Parent
from semidml.runs.run import Run
from semidml.runs.status import write_status
from semidml.tasks import Progress

MOST_WAITING = 50
MOST_EACH = 10  # of these, of one visitor
UNHARMED = "The app and all runs are unharmed"
SHORT = ("prior", "rows")  # questions of some seconds, whose page waits for them


class Jobs:
    """What is to be run, is running, or was, and what is asked of runs, in one folder. Any thread may call it."""

    def __init__(self, root: Path | str, command: Sequence[str] = WORKER):
        self.root = Path(root).absolute()
        self._changed = threading.Condition(threading.RLock())
        self.training = Lane("runs", command, self._changed)
        self._begun: dict[str, int] = {}  # the round in which a visitor's last run began
        self.questions = Lane("questions", [*command, COLD], self._changed)  # beside the runs: neither waits
        atexit.register(self.close)

    def warm(self) -> None:
        """Start a worker ahead of need; returns at once."""
        with self._changed:
            self.training.start(warm=True)

    # ---- runs

    def submit(self, config: RunConfig, visitor: str = "", parent: Parent | None = None) -> Run:
        """A new run, which starts as soon as those before it have ended. `visitor` names who asks for it, to whom then
        a visitor's share of the queue is open; `parent` the run that it is made from.
        Raises: ValueError when the queue is full, or the visitor's share of it, or the quota used up, and for a setting
        that cannot be trained here (`ready.check_ready`); nothing is left of it then."""
        ready.check_ready(config)
        with self._changed:
            self._check_room(visitor)
            run = listing.create_run(config, path=self.root / places.new_id(config), parent=parent)
            self._put(run, visitor)
        return run

    def resume(self, run_id: str, visitor: str = "") -> Run:
        """Queue a run again that was stopped, interrupted or failed, or that an ended process had queued.
        Raises: ValueError for any other."""
        with self._changed:
            run = listing.open_run(run_id, self.root)
            if run in self.queue() or run == self.running():
                raise ValueError(f"{run_id} is {run.status().state} already")
            self._check_room(visitor)
            changes.make_ready(run)
            self._put(run, visitor)
        return run

    def stop(self, run_id: str) -> None:
        """Stop a run: a waiting one at once, a running one within a tick, wherever it runs.
        Raises: ValueError when it does neither."""
        with self._changed:
            run = listing.open_run(run_id, self.root)
            changes.stop(run)
            job = next((job for job in self.training.waiting if job.key == str(run.path)), None)
            if job is not None:
                self.training.waiting.remove(job)
                write_status(run, replace(run.status(), state="stopped", updated=time.time()))
                (run.path / "stop").unlink(missing_ok=True)
            self._changed.notify_all()

    def running(self) -> Run | None:
        """The run that the worker has now."""
        job = self.training.current
        return None if job is None else Run(job.key)

    def before(self, run: Run) -> list[Run] | None:
        """The runs that go before one that waits here, in their order, the one that runs now first; None where it does
        not wait here."""
        running, waiting = self.running(), self.queue()
        if run not in waiting:
            return None
        return [*([running] if running else []), *waiting[: waiting.index(run)]]

    def queue(self) -> list[Run]:
        """The runs that wait, in the order in which they will begin."""
        with self._changed:
            waiting = [Run(job.key) for job in self.training.waiting]
        return [run for run in waiting if run.status().state == "queued"]

    def orphans(self) -> list[Run]:
        """Queued runs whose app has ended, to be offered again with `resume`; the oldest first."""
        if not self.root.is_dir():
            return []
        runs = [Run(path) for path in self.root.iterdir() if places.valid_id(path.name)]
        return sorted((run for run in runs if run.is_orphan()), key=Run.created)

    def _check_room(self, visitor: str) -> None:
        waiting = [job for job in self.training.waiting if job.wanted()]
        if len(waiting) >= MOST_WAITING:
            raise ValueError(f"{MOST_WAITING} runs are waiting already, which is the most; stop one of them first")
        if visitor and sum(job.visitor == visitor for job in waiting) >= MOST_EACH:
            raise ValueError(
                f"{MOST_EACH} of your runs are waiting already, which is the most that one visitor may have; "
                "stop one of them first, or wait until one has begun"
            )

    def _next_turn(self, visitor: str) -> int:
        """The round in which a further run of a visitor is: after all of its own, and never one that is over."""
        jobs = [*filter(None, [self.training.current]), *self.training.waiting]
        now = jobs[0].turn if jobs else 0
        self._begun = {name: turn for name, turn in self._begun.items() if jobs and turn >= now}
        own = [job.turn for job in jobs if job.visitor == visitor] + [self._begun.get(visitor, -1)]
        return max(now, max(own) + 1)

    def _put(self, run: Run, visitor: str) -> None:
        def wanted() -> bool:
            return run.path.is_dir() and run.status().state == "queued"

        def heard(message: dict[str, Any]) -> None:
            if "began" in message:
                self._begun[visitor] = turn
            if message.get("ended") == key and message["state"] == "failed":
                _settle(run, "failed", message["reason"], self.training.pid)

        def died(why: str, pid: int | None) -> None:
            _settle(run, "interrupted", why, pid)

        key = str(run.path)
        turn = self._next_turn(visitor)
        place = sum(job.turn <= turn for job in self.training.waiting)
        self.training.put(Job(key, {"run": key}, heard, died, wanted, visitor, turn), place)

    # ---- questions: each waits for its answer, so ask in a thread (`tasks.start_task`)

    def plane(
        self, run: Run, epoch: int, method: str, latents: np.ndarray, progress: Progress, keep: bool = True
    ) -> np.ndarray:
        """`planes.compute_plane`, computed by the worker. What cannot be projected is said before it is asked. Raises
        ValueError in words, also when the process dies of it."""
        planes.to_project(latents, method)

        def flat(latents: np.ndarray, method: str, seed: int, progress: Progress) -> np.ndarray:
            title = f"{planes.PROJECTIONS[method].title} of epoch {epoch} of {run.id}"
            then = "compute it once more, or choose another projection or another epoch"
            about = {"method": method, "seed": seed}
            return self._ask("projection", about, title, then, progress, {"latents": latents})[1]["places"]

        return compute_plane(run, epoch, method, latents, progress, keep, flat)

    def all_scores(self, run: Run, progress: Progress) -> dict[str, Any]:
        """`execute.score_run` of all scores, kept with the run, by the worker.
        Raises: ValueError in words."""
        about, then = {"run": str(run.path)}, "ask for them once more; the scores that were there are as they were"
        return self._ask("scores", about, f"Forest and MLP of {run.id}", then, progress)[0]

    def fit_prior(self, run: Run, components: int | None = None, seed: int = 0) -> Fitted:
        """`prior.fit_prior`, computed by the worker.
        Raises: ValueError in words."""
        about = {"run": str(run.path), "components": components, "seed": seed}
        fitted, _ = self._ask("prior", about, f"A mixture for {run.id}", "fit once more, or fewer components")
        return Fitted(RunConfig.of(fitted["config"]), fitted["rows"])

    def everything(self, run: Run, progress: Progress = lambda fraction, text: None) -> dict[str, np.ndarray]:
        """`take_away.all_rows`, computed by the worker, which also reads the images.
        Raises: ValueError in words."""
        about, then = {"run": str(run.path)}, "ask for them once more, on a machine with more memory if it was that"
        return self._ask("rows", about, f"All rows of {run.id}", then, progress)[1]

    def _ask(
        self,
        what: str,
        about: Mapping[str, Any],
        title: str,
        then: str,
        progress: Progress = lambda fraction, text: None,
        given: Mapping[str, np.ndarray] | None = None,
    ) -> tuple[Any, dict[str, np.ndarray]]:
        """What the worker answers (`worker.ANSWERS`), once its turn has come: (plain values, arrays). Arrays go and
        come as files, without pickles. Questions of a few seconds, which a page waits for, go before long ones.
        Raises: ValueError in words; if the process died, with what was asked (`title`) and what to do (`then`)."""
        heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        key = f"{what} {next(_asked)}"

        def none(reason: str) -> None:
            heard.put({"ended": key, "state": "failed", "reason": f"{title} could not be computed: {reason}"})

        def died(why: str, pid: int | None) -> None:
            none(f"{why}. {UNHARMED}: {then}.")

        try:
            with tempfile.TemporaryDirectory(prefix="semidml-") as folder:
                files = {"given": f"{folder}/given.npz", "into": f"{folder}/found.npz"}
                np.savez(files["given"], **(given or {}))
                message = {"ask": what, "job": key, **about, **files}
                job = Job(key, message, heard.put, died, left=lambda: none("the app ends"))
                with self._changed:
                    self.questions.put(job, 0 if what in SHORT else None)
                while (said := heard.get()).get("ended") != key:
                    if "began" in said:
                        progress(0.0, "begins")
                    elif "at" in said:
                        progress(said["fraction"], said["text"])
                if said["state"] != "done":
                    raise ValueError(said["reason"])
                with np.load(files["into"], allow_pickle=False) as arrays:
                    return said["found"], dict(arrays)
        except OSError as error:
            raise ValueError(
                f"{title} could not be computed: {tempfile.gettempdir()} has no room or cannot be written to "
                f"({error.strerror}); make some, then {then}"
            ) from None

    def close(self) -> None:
        """End the workers; a run that is on reads as interrupted."""
        self.training.close()
        self.questions.close()
        atexit.unregister(self.close)


_asked = itertools.count()


def _settle(run: Run, state: str, why: str, worker: int | None) -> None:
    """Say in its folder how a run ended, where the worker could not. One that another process writes is left alone."""
    try:
        status = run.recorded()
        if status.state == "queued" or (status.state == "running" and status.owner.get("pid") == worker):
            reason = f"{why}; {run.resume_words()}"
            write_status(run, replace(status, state=state, reason=reason, step=0, updated=time.time()))
    except (OSError, ValueError):  # deleted, damaged or on a full disk: the queue goes on
        traceback.print_exc()


# ---- the one of this process

_making = threading.Lock()


def jobs(root: Path | str | None = None) -> Jobs:
    """The supervisor of a folder of runs (by default `places.runs_folder()`), one for all callers in this process."""
    folder = Path(root or places.runs_folder()).absolute()
    # Streamlit loads this module anew when its file changes; the handle must outlive that, or a second worker starts.
    registry = sys.modules.setdefault("semidml_jobs_registry", ModuleType("semidml_jobs_registry"))
    with _making:
        known: dict[Path, Jobs] = registry.__dict__.setdefault("known", {})
        if folder not in known:
            known[folder] = Jobs(folder)
        return known[folder]
