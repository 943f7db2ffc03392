"""What a visitor does, and what came of it; rename, delete and import runs."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from semidml.config import RunConfig
from semidml.data import quota as images
from semidml.data import store
from semidml.jobs import queue
from semidml.runs import changes, listing, quota, transfer
from semidml.runs.parent import name_parent
from semidml.runs.run import Run
from semidml.ui import cache, frame, intake
from semidml.ui.words import as_code
from semidml.words import size_words, trouble_words

NOT_STARTED = "The training could not be started"


def perform(act: Callable[[], object], done: str = "", failed: str = "This could not be done") -> bool:
    """Does it, and keeps for the page what came of it: `done`, or an error's own words. What the system has against it
    is told after `failed`; acts are whole or not at all. Whether it was done."""
    try:
        act()
    except ValueError as error:
        st.session_state["outcome"] = (False, str(error))
        return False
    except OSError as error:
        words = f"{failed}, and nothing has changed: {trouble_words(error)}."
        st.session_state["outcome"] = (False, words)
        return False
    if done:
        st.session_state["outcome"] = (True, done)
    return True


def has_outcome() -> bool:
    """Whether the page has yet to say what came of an act: a part of it that runs alone leaves that to the whole."""
    return "outcome" in st.session_state


def draw_outcome() -> None:
    """Says what came of the last act, once."""
    well, words = st.session_state.pop("outcome", (False, ""))
    if well:
        st.success(words, icon=":material/check:")
    elif words:
        frame.show_error(words)


def visitor() -> str:
    """Who sits at this page: a name that nobody else has, for as long as the page is open."""
    return st.session_state.setdefault("visitor", secrets.token_hex(8))


def queue_run(config: RunConfig, parent: Run | None = None) -> Run:
    """A new run of this visitor's, made from another one if it is named.
    Raises: ValueError when the queue, or the visitor's share of it, is full, or the quota used up."""
    return queue.jobs().submit(config, visitor(), parent and name_parent(parent))


def queue_runs(configs: Sequence[RunConfig]) -> None:
    """New runs of this visitor's, one after another.
    Raises: ValueError that says how many are queued where not all are, else as `queue_run`."""
    for queued, config in enumerate(configs):
        try:
            queue_run(config)
        except (ValueError, OSError) as error:
            if not queued:
                raise
            reason = trouble_words(error) if isinstance(error, OSError) else error
            raise ValueError(f"{queued} of {len(configs)} trainings are queued, the next is not: {reason}") from None


def draw_management(run: Run | None) -> None:
    """Rename, delete, export, import, and the quota."""
    if run is not None:
        st.markdown(f"{as_code(run.id)} · {size_words(run.size())}")
        if run.is_shipped:
            st.caption("This run comes with the project: it cannot be renamed or deleted.")
        elif run.sweep:
            st.caption(f"This run is one of the sweep {as_code(run.sweep)}: it is kept or deleted with it.")
        else:
            new = st.text_input("New name", max_chars=80, key=f"new name {run.id}", placeholder=run.id)
            st.button("Rename", on_click=rename, args=(run.id,), disabled=not new, icon=":material/edit:", key="rename")
            sure = st.checkbox("Delete it with all its files", key=f"sure {run.id}")
            act = {"on_click": delete_run, "args": (run.id, f"{as_code(run.id)} is deleted.")}
            st.button("Delete", disabled=not sure, icon=":material/delete:", key="delete run", **act)
        st.divider()
    draw_import()
    draw_quota("Runs take", quota.used_bytes(), quota.allowed_bytes)
    draw_quota("Uploads and decoded images take", images.used_bytes(store.data_folder()), images.allowed_bytes)


def draw_import() -> None:
    """Takes in what somebody has exported."""
    file = st.file_uploader(
        "Import runs (.zip)", type=["zip"], key=f"import {st.session_state.setdefault('import round', 0)}"
    )
    st.button("Import", on_click=bring, args=(file,), disabled=file is None, icon=":material/upload:", key="import run")


def draw_quota(title: str, used: int, allowed: Callable[[], int]) -> None:
    """How much is taken of what may be, as a bar and in words."""
    try:
        most = allowed()
    except ValueError:  # the sidebar says so
        return
    st.progress(min(1.0, used / most) if most else 1.0, text=f"{title} {size_words(used)} of {size_words(most)}")


def rename(run_id: str) -> None:
    new = st.session_state[f"new name {run_id}"].strip()
    done, failed = f"It is called {as_code(new)} now.", f"{as_code(run_id)} could not be renamed"
    perform(lambda: choose(changes.rename(listing.open_run(run_id), new)), done, failed)
    cache.forget_runs()


def delete_run(run_id: str, done: str = "") -> None:
    is_done = perform(lambda: changes.delete(listing.open_run(run_id)), done, f"{as_code(run_id)} could not be deleted")
    if is_done and st.session_state.get("explored") == run_id:
        del st.session_state["explored"]  # Explore need not say that it is gone
    cache.forget_runs()


def bring(file: Any) -> None:
    """Takes the file in; either way the uploader is empty afterwards, so that no second click meets this file again."""

    def take() -> None:
        runs = transfer.import_zips(file)
        choose(runs[0])
        st.session_state["outcome"] = (True, "The run is here." if len(runs) == 1 else f"{len(runs)} runs are here.")

    perform(take, failed="The run could not be imported")
    intake.let_go(file.file_id)
    cache.forget_runs()
    st.session_state["import round"] += 1


def choose(run: Run) -> None:
    st.session_state["explored"] = run.id
