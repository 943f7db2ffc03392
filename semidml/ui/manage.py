"""What a visitor does, and what came of it; rename, delete and import runs."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from semidml.data import quota as images
from semidml.data import store
from semidml.runs import changes, listing, quota, transfer
from semidml.runs.run import Run
from semidml.ui import cache, frame, intake
from semidml.ui.words import as_code
from semidml.words import size_words


def perform(act: Callable[[], object], done: str = "") -> bool:
    """Does it, and keeps for the page what came of it: the error's words, or these. Whether it was done."""
    try:
        act()
    except (ValueError, OSError) as error:
        st.session_state["outcome"] = (False, str(error))
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


def draw_management(run: Run | None) -> None:
    """Rename, delete, export, import, and the quota."""
    if run is not None:
        st.markdown(f"{as_code(run.id)} · {size_words(run.size())}")
        if run.is_shipped:
            st.caption("This run comes with the project: it cannot be renamed or deleted.")
        else:
            new = st.text_input("New name", max_chars=80, key=f"new name {run.id}", placeholder=run.id)
            st.button("Rename", on_click=rename, args=(run.id,), disabled=not new, icon=":material/edit:", key="rename")
            sure = st.checkbox("Delete it with all its files", key=f"sure {run.id}")
            act = {"on_click": delete_run, "args": (run.id, f"{as_code(run.id)} is deleted.")}
            st.button("Delete", disabled=not sure, icon=":material/delete:", key="delete run", **act)
        st.divider()
    file = st.file_uploader(
        "Import a run (.zip)", type=["zip"], key=f"import {st.session_state.setdefault('import round', 0)}"
    )
    st.button("Import", on_click=bring, args=(file,), disabled=file is None, icon=":material/upload:", key="import run")
    draw_quota("Runs take", quota.used_bytes(), quota.allowed_bytes)
    draw_quota("Uploads and decoded images take", images.used_bytes(store.data_folder()), images.allowed_bytes)


def draw_quota(title: str, used: int, allowed: Callable[[], int]) -> None:
    """How much is taken of what may be, as a bar and in words."""
    try:
        most = allowed()
    except ValueError:  # the sidebar says so
        return
    st.progress(min(1.0, used / most) if most else 1.0, text=f"{title} {size_words(used)} of {size_words(most)}")


def rename(run_id: str) -> None:
    new = st.session_state[f"new name {run_id}"].strip()
    perform(lambda: choose(changes.rename(listing.open_run(run_id), new)), f"It is called {as_code(new)} now.")
    cache.forget_runs()


def delete_run(run_id: str, done: str = "") -> None:
    perform(lambda: changes.delete(listing.open_run(run_id)), done)
    cache.forget_runs()


def bring(file: Any) -> None:
    """Takes the file in; either way the uploader is empty afterwards, so that no second click meets this file again."""
    perform(lambda: choose(transfer.import_zip(file)), "The run is here.")
    intake.let_go(file.file_id)
    cache.forget_runs()
    st.session_state["import round"] += 1


def choose(run: Run) -> None:
    st.session_state["explored"] = run.id
