"""What is done with the chosen runs: compare, tag, export, delete. Each act says what came of it."""

import io
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from semidml.runs import changes, listing, notes, transfer
from semidml.runs.listed import Listed
from semidml.ui import cache, frame, manage
from semidml.ui.table.filters import CHOSEN, list_tags
from semidml.ui.take_away import draw_download
from semidml.ui.words import as_code
from semidml.words import list_names, size_words, trouble_words

MOST_COMPARED = 4
MOST_ZIP = 400_000_000  # bytes of runs that a page packs: more leave by the command line
MOST_NAMED = 5  # runs that a sentence names


def draw_acts(rows: Sequence[Listed], chosen: Sequence[Listed]) -> None:
    """A line of acts, always there, so that nothing moves when a run is chosen."""
    names = [row.name for row in chosen]
    none = not chosen
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="acts"):
        st.markdown(f"**{len(chosen):,} chosen**" if chosen else "None is chosen.", width="content")
        drawn = (
            [row.name for row in chosen if row.config and row.run.frames()] if 2 <= len(chosen) <= MOST_COMPARED else []
        )
        together = {"runs": ",".join(drawn)} if len(drawn) >= 2 else {}
        sides = f"Two to {MOST_COMPARED} runs that have points, side by side"
        draw_way(frame.COMPARE, "Compare", "compare", together, sides)
        alone = {"run": chosen[0].run.id} if len(chosen) == 1 and chosen[0].config else {}
        draw_way(frame.EXPLORE, "Explore", "travel_explore", alone, "The map of one run, and what it can be asked")
        draw_way(frame.TRAIN, "Train on", "tune", alone, "The setting of one run, to change it")
        with st.popover("Tag", icon=":material/label:", disabled=none):
            draw_tagging(rows, names)
        draw_export(chosen)
        with st.popover("Delete", icon=":material/delete:", disabled=none):
            draw_deletion(chosen)
        if chosen:
            st.button("Choose none", on_click=choose, args=([],), key="choose none")
        else:
            every = [row.name for row in rows]
            label = f"Choose all {len(every):,}"
            st.button(label, on_click=choose, args=(every,), key="choose all", disabled=not every)
        with st.popover("Import", icon=":material/upload:", help="Runs that somebody has exported"):
            manage.draw_import()


def draw_way(page: str, label: str, icon: str, query: dict[str, str], about: str) -> None:
    """The way to a page with what is chosen; without a query a button that cannot be pressed, with the same words."""
    if query:
        st.page_link(page, label=label, icon=f":material/{icon}:", query_params=query, help=about)
    else:
        st.button(label, icon=f":material/{icon}:", type="tertiary", disabled=True, help=about, key=f"no {label}")


def choose(names: list[str]) -> None:
    st.session_state[CHOSEN] = names


def runs_words(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def act_on(names: Sequence[str], act: Callable[[str], object], done: str, failed: str) -> list[str]:
    """Does it to each of these runs, and keeps for the page how many it was done to and why not to others. done,
    failed: what is said of so many runs. The names that it was done to."""
    well, problems = [], {}
    for name in names:
        try:
            act(name)
            well.append(name)
        except ValueError as error:
            problems[name] = str(error)
        except OSError as error:
            problems[name] = trouble_words(error)
    sentences = [f"{runs_words(len(well))} {done}."] if well else []
    if problems:
        told = "; ".join(list(problems.values())[:MOST_NAMED])
        more = f"; and {len(problems) - MOST_NAMED:,} more" if len(problems) > MOST_NAMED else ""
        sentences.append(f"{runs_words(len(problems))} {failed}: {told}{more}.")
    st.session_state["outcome"] = (not problems, " ".join(sentences))
    return well


# ---- tags


def draw_tagging(rows: Sequence[Listed], names: Sequence[str]) -> None:
    """Gives tags to the chosen runs, or takes them away."""
    tags = st.multiselect(
        "Tags",
        list_tags(rows),
        key="tags to give",
        accept_new_options=True,
        placeholder="Choose or type",
        max_selections=notes.MOST_TAGS,
        help=f"At most {notes.MOST_TAG} letters each; several with commas between them.",
    )
    with st.container(horizontal=True):
        for label, icon, taken in (("Add", "add", False), ("Take away", "remove", True)):
            act = {"on_click": tag_runs, "args": (names, tags, taken), "disabled": not tags}
            st.button(f"{label} ({len(names):,})", key=f"tags {label}", icon=f":material/{icon}:", **act)


def tag_runs(names: Sequence[str], texts: Sequence[str], taken: bool) -> None:
    tags: list[str] = []
    if not manage.perform(lambda: tags.extend(tag for text in texts for tag in notes.split_tags(text))):
        return
    change = partial(notes.change_tags, remove=tags) if taken else partial(notes.change_tags, add=tags)
    told = f"{'without' if taken else 'with'} {list_names([as_code(tag) for tag in tags])}"
    act_on(names, lambda name: change(listing.open_run(name)), f"{told} now", f"not {told}")
    st.session_state["tags to give"] = []


# ---- export


def draw_export(chosen: Sequence[Listed]) -> None:
    """One zip of the chosen runs, which the same page, and the command line, take in again."""
    too_large = len(chosen) > transfer.MOST_RUNS or sum(row.run.size() for row in chosen) > MOST_ZIP
    reason = f"At most {transfer.MOST_RUNS} runs, of {size_words(MOST_ZIP)}, leave by a page." if too_large else ""
    runs = [row.run for row in chosen]

    def make() -> bytes:
        file = io.BytesIO()
        transfer.export_zips(runs, file)
        return file.getvalue()

    name = f"{runs[0].path.name}.zip" if len(runs) == 1 else "runs.zip"
    draw_download("Export", make, name, "export runs", not chosen or too_large, reason)


# ---- delete


def draw_deletion(chosen: Sequence[Listed]) -> None:
    """Names what is to be deleted, and deletes it: these runs, whatever the table shows by then."""
    names = [row.name for row in chosen if row.run.is_own]
    shipped = len(chosen) - len(names)
    if shipped:
        st.caption(f"{runs_words(shipped)} of these {'comes' if shipped == 1 else 'come'} with the project and stay.")
    if not names:
        return
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    st.markdown(f"Delete {', '.join(map(as_code, names[:MOST_NAMED]))}{more}, with all files?")
    act = {"on_click": delete_runs, "args": (names,), "type": "primary", "icon": ":material/delete:"}
    st.button(f"Delete {runs_words(len(names))}", key="delete runs", **act)


def delete_runs(names: Sequence[str]) -> None:
    def delete(name: str) -> None:
        changes.delete(listing.open_run(name))

    gone = act_on(names, delete, "deleted", "not deleted")
    st.session_state[CHOSEN] = [name for name in st.session_state.get(CHOSEN, []) if name not in gone]
    if st.session_state.get("explored") in gone:
        del st.session_state["explored"]  # Explore need not say that it is gone
    cache.forget_runs()
