"""The run that is chosen alone: its map, its note, its tags, and what it was made from and into."""

import streamlit as st

from semidml.runs import listing, notes
from semidml.runs.listed import Listed
from semidml.ui import frame, lineage, living, manage
from semidml.ui.names import Card
from semidml.ui.words import as_code, plain_markdown


def draw_details(row: Listed, card: Card) -> None:
    """What is known of a run, and a place to write."""
    run = row.run
    picture, words = st.columns([1, 3], gap="medium")
    with picture:
        living.draw_small_map(run, ", ".join([card.title, *card.chips]))
    with words:
        st.header(plain_markdown(card.title), anchor=False)
        st.markdown(" ".join(f":gray-badge[{plain_markdown(chip)}]" for chip in (*card.chips, *row.notes.tags)))
        st.caption(as_code(run.id))
        if row.problem:
            frame.show_error(row.problem)
        lineage.draw_family(run, frame.EXPLORE)
        if run.is_shipped:
            st.caption("It comes with the project: tags and notes are for your own runs.")
        else:
            draw_note(row)


def draw_note(row: Listed) -> None:
    """The note of a run. What somebody else has written meanwhile is shown, and not written over unseen."""
    state, name, now = st.session_state, row.run.id, row.notes.note
    key, seen = f"note {name} {row.created}", f"note seen {name} {row.created}"
    if state.get(key, "") == state.get(seen, "") or key not in state:  # nothing is half written here
        state[key] = state[seen] = now
    st.text_area("Note", key=key, max_chars=notes.MOST_NOTE, placeholder="What was tried, what came out", height=100)
    if state[seen] != now:
        st.warning("Somebody else has changed this note since you began. It says:", icon=":material/sync_problem:")
        st.text(now or "nothing")
    label = "Save over it" if state[seen] != now else "Save the note"
    st.button(label, icon=":material/save:", on_click=save_note, args=(name, key, seen, now), key=f"save {key}")


def save_note(name: str, key: str, seen: str, shown: str) -> None:
    """Saves what stands in the box. shown: the note that stood below it, or in it, when the button was pressed."""

    def save() -> None:
        st.session_state[key] = st.session_state[seen] = notes.write_note(
            listing.open_run(name), st.session_state[key], before=shown
        ).note

    manage.perform(save, "The note is saved.", f"The note of {as_code(name)} could not be saved")
