"""What a visitor's file was understood to be, before it is added, with a control for each choice."""

import base64
import html
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import streamlit as st

from semidml.data import uploads
from semidml.data.choices import ALL, NAMES, OF_FOLDER, ROLE_WORDS, Choices
from semidml.data.layout import Question
from semidml.data.look import Contrast, Understood
from semidml.data.names import SPLIT_TITLES
from semidml.data.values import Range
from semidml.ui import frame, incoming, manage, pictures
from semidml.ui.incoming import Brought
from semidml.ui.words import as_code, escape_markdown, plain_markdown, printable
from semidml.words import value_words

MOST_CARDS = 12  # classes that are shown at once
MOST_LISTED = 100  # files left out that are listed
MOST_FOLDERS = 8  # folders with a control of their own
LONGEST = 60  # letters of a folder with those above it
LETTERS = 40  # of a name among others
RADIO = 4  # options above which a question is a list to choose from
SIDE = 44  # pixels of a picture on the page
LARGE = 88
CARDS = "display: flex; flex-wrap: wrap; gap: 0.7rem 1.1rem"
ELLIPSIS = "overflow: hidden; text-overflow: ellipsis; white-space: nowrap"


@st.fragment
def draw_brought() -> None:
    """What was understood, the choices, and the buttons that add it or let it go."""
    brought = incoming.find_brought()
    if brought is None:
        st.rerun()
    with st.container(border=True):
        frame.wait_for(brought.start_look())
        brought.take_result()
        if brought.error:
            frame.show_error(brought.error)
        known = brought.known
        if known is None:
            if st.button("Send another file", icon=":material/undo:", key="do not add"):
                incoming.leave()
                st.rerun()
            return
        facts, choices = st.columns([1.5, 1], gap="large")
        with facts:
            draw_facts(brought, known)
        with choices:
            draw_choices(brought, known)
            draw_end(brought, known)


# ---- what was understood


def draw_facts(brought: Brought, known: Understood) -> None:
    channels, height, width = known.shape
    total = sum(sum(own.values()) for own in known.counts.values()) + sum(known.unlabelled.values())
    colour = "colour" if channels == 3 else "grey"
    st.markdown(
        f"{as_code(brought.name)} ({known.kind}): **{total:,} images** of {width} x {height} pixels, "
        f"{colour}. Nothing is added yet: see whether this is what you mean."
    )
    for remark in known.remarks:
        st.warning(plain_markdown(remark), icon=":material/warning:")
    draw_parts(known)
    draw_classes(known)
    if known.contrast and known.contrast.plain != known.contrast.read:
        draw_contrast(known.contrast)
    if notes := [note for note in known.plain_notes() if note not in known.remarks]:
        st.markdown("\n".join(f"- {plain_markdown(note)}" for note in notes))
    if known.left_out:
        with st.expander(f"Left out ({len(known.left_out):,})", icon=":material/do_not_disturb_on:"):
            listed = [f"{printable(path)} ({why})" for path, why in known.left_out[:MOST_LISTED]]
            more = len(known.left_out) - MOST_LISTED
            st.text("\n".join(listed + ([f"and {more:,} more"] if more > 0 else [])))


def draw_parts(known: Understood) -> None:
    """How many images each split has."""
    rows = []
    for split, own in known.counts.items():
        labelled, bare = sum(own.values()), known.unlabelled.get(split, 0)
        rows.append(
            {
                "Part": SPLIT_TITLES[split].capitalize(),
                "Images with a label": f"{labelled:,}",
                "Without a label": f"{bare:,}",
                "Classes": f"{len(own):,}",
            }
        )
    pictures.draw_table(rows)


def draw_classes(known: Understood) -> None:
    """The classes with their sizes and a few pictures each."""
    count = len(known.classes)
    if count:
        st.subheader(f"{count:,} {'class' if count == 1 else 'classes'}", anchor=False)
    else:
        st.markdown("**No classes**: what needs no label can be trained.")
    cards = [class_card(known, name) for name in known.classes]
    if "" in known.pictures:
        cards.insert(0, class_card(known, ""))
    st.html(f'<div style="{CARDS}">{"".join(cards[:MOST_CARDS])}</div>')
    if len(cards) > MOST_CARDS:
        with st.expander(f"{len(cards) - MOST_CARDS:,} more classes"):
            st.html(f'<div style="{CARDS}">{"".join(cards[MOST_CARDS:])}</div>')


def class_card(known: Understood, name: str) -> str:
    """The HTML of a class, or of the rows without a label."""
    sizes: Mapping[str, int] = (
        {split: own[name] for split, own in known.counts.items() if name in own} if name else known.unlabelled
    )
    told = " · ".join(f"{size:,} {SPLIT_TITLES[split]}" for split, size in sizes.items()) or "no image"
    title = html.escape(printable(name)) if name else "<em>without a label</em>"
    shown = "".join(picture_html(file, SIDE) for file in known.pictures.get(name, ()))
    small = f"font-size: 0.8rem; opacity: 0.7; {ELLIPSIS}"
    return (
        f'<div style="width: 9.2rem"><div style="{ELLIPSIS}" title="{html.escape(printable(name))}">{title}</div>'
        f'<div style="display: flex; gap: 3px; min-height: {SIDE}px">{shown}</div>'
        f'<div style="{small}" title="{told}">{told}</div></div>'
    )


def picture_html(file: bytes, side: int) -> str:
    source = f"data:image/png;base64,{base64.b64encode(file).decode()}"
    return f'<img src="{source}" alt="" style="width: {side}px; height: {side}px; image-rendering: pixelated">'


def range_words(ends: Range) -> str:
    return f"{value_words(float(ends.low))} is black, {value_words(float(ends.high))} is white"


def draw_contrast(contrast: Contrast) -> None:
    """A few images with their numbers as they are, and as they are read."""
    st.subheader("The numbers of pixels", anchor=False)
    sides = []
    for title, ends, files in (
        ("as they are", contrast.plain, contrast.before),
        ("as understood", contrast.read, contrast.after),
    ):
        shown = "".join(picture_html(file, LARGE) for file in files)
        words = f"{title}: {range_words(ends)}"
        row = f'<div style="display: flex; gap: 3px">{shown}</div>'
        sides.append(f'<div>{row}<div style="{pictures.CAPTION}">{words}</div></div>')
    st.html(f'<div style="{CARDS}">{"".join(sides)}</div>')


# ---- what can be chosen


def draw_choices(brought: Brought, known: Understood) -> None:
    """A control for each question, each folder that is no class, the numbers of pixels, and what is seldom needed."""
    st.subheader("Is something meant otherwise?", anchor=False)
    asked = {question.key: question for question in known.questions if not brought.is_answered(question.key)} | {
        key: question for key, question in brought.asked.items() if brought.is_answered(key)
    }
    for question in asked.values():
        draw_question(brought, known, question)
    parting = {folder for folder, role in known.folders.items() if role != "passed through"}
    folders = [folder for folder in sorted(parting | {*brought.choices.folders}) if f"{OF_FOLDER}{folder}" not in asked]
    for folder in folders[:MOST_FOLDERS]:
        draw_folder(brought, known, folder)
    if known.contrast:
        draw_values(brought, known.contrast)
    others = [folder for folder in known.folder_counts if folder not in folders[:MOST_FOLDERS]]
    if others or known.swapped is not None:
        with st.expander("More to choose", icon=":material/tune:"):
            if others:
                draw_other_folder(brought, known, others)
            if known.swapped is not None:
                draw_more_of_arrays(brought, known)
    if not (asked or folders or others or known.contrast or known.swapped is not None):
        st.caption("There is nothing to choose here but the name.")
    if brought.choices:
        act = {"on_click": brought.choose_all, "args": (Choices(),)}
        st.button("As it was understood at first", icon=":material/restart_alt:", key="no choices", **act)


def draw_question(brought: Brought, known: Understood, question: Question) -> None:
    kind = st.radio if len(question.options) <= RADIO else st.selectbox
    neutral = plain_markdown if kind is st.radio else str  # a list to choose from shows its words as they are

    def say(option: str) -> str:
        return neutral(printable(option_words(known, question.key, option)))

    text = question.text
    if question.key == "level":  # the options tell the rest
        text = text.partition("?")[0] + "?"
    offer(brought, question.key, plain_markdown(printable(text)), question.options, question.default, say, kind)


def option_words(known: Understood, key: str, option: str) -> str:
    """What may be answered, in words."""
    if key == "level" and option.isdecimal() and int(option) <= len(known.levels):
        return f"Level {option}: {', '.join(name[:LETTERS] for name in known.levels[int(option) - 1])}"
    if key == "level":
        words = {
            ALL: "All levels together, as one name",
            NAMES: "What stands before the number",
            "": "There is no class",
        }
        return words[option]
    if key.startswith(OF_FOLDER):
        return ROLE_WORDS[option].capitalize()
    if key == "no_label":
        return "No label" if option else "A class of its own"
    if key == "label" and option in ("any", "commonest"):
        words = {"any": "Any of them: two classes, none and any", "commonest": "The commonest label of each row"}
        return words[option]
    return option


def draw_folder(brought: Brought, known: Understood, folder: str) -> None:
    end = folder if len(folder) <= LONGEST else f"…{folder[1 - LONGEST :]}"
    title = f"Folder {as_code(end)} ({known.folder_counts.get(folder, 0):,} images)"
    default = brought.roles.get(folder, known.folders.get(folder, "class"))
    offer(
        brought, f"{OF_FOLDER}{folder}", title, tuple(ROLE_WORDS), default, lambda role: ROLE_WORDS[role].capitalize()
    )


def draw_other_folder(brought: Brought, known: Understood, folders: list[str]) -> None:
    key = f"another folder {id(brought)}"
    words = {"format_func": printable, "placeholder": "Choose a folder"}
    folder = st.selectbox("Another folder", folders, index=None, key=key, **words)
    if folder is not None:
        draw_folder(brought, known, folder)


def draw_values(brought: Brought, contrast: Contrast) -> None:
    """How numbers become black and white, where they are no bytes."""
    options = ("", "as they are") if contrast.read == contrast.extremes else ("", "as they are", "stretched")
    plain, read, extremes = (range_words(ends) for ends in contrast[:3])
    words = {
        "": f"As understood: {read}",
        "as they are": f"As they are: {plain}",
        "stretched": f"Stretched: {extremes}",
    }
    offer(brought, "values", "The numbers of pixels", options, "", lambda option: words[option], st.radio)


def draw_more_of_arrays(brought: Brought, known: Understood) -> None:
    """Whether rows and columns are swapped, and which labels say that there is none."""
    chosen = brought.choices
    swap, none = f"swap {id(brought)} {known.swapped}", f"no labels {id(brought)} {chosen.no_label}"

    def choose_swap() -> None:
        value = "" if chosen.transposed else "yes" if st.session_state[swap] else "no"
        brought.choose_all(replace(chosen, transposed=value))

    def choose_none() -> None:
        brought.choose_all(replace(chosen, no_label=st.session_state[none].strip()))

    act = {"key": swap, "on_change": choose_swap}
    st.checkbox("Swap rows and columns of the images", bool(known.swapped), **act)
    about = "Whole numbers or text, with commas between. Where nothing is said, -1, NaN and no text mean so."
    act = {"key": none, "on_change": choose_none}
    st.text_input("Labels that say there is none", chosen.no_label, max_chars=200, help=about, **act)


def offer(
    brought: Brought,
    key: str,
    title: str,
    options: tuple[str, ...],
    default: str,
    say: Callable[[str], str],
    kind: Callable[..., str] = st.selectbox,
) -> None:
    """A control for a key of `Choices`, which shows what holds now."""
    chosen = brought.choices.value_of(key) or default
    options = options if chosen in options else (*options, chosen)
    widget = f"{key} {id(brought)} {chosen}"

    def choose() -> None:
        brought.choose(key, st.session_state[widget], default)

    kind(title, options, options.index(chosen), format_func=say, key=widget, on_change=choose)


# ---- the end


def draw_end(brought: Brought, known: Understood) -> None:
    """The name, and the buttons that add it or let it go."""
    if known.problem and not brought.error:
        frame.show_error(f"So it cannot be added: {known.problem}.")
    about, key = "Letters, digits, spaces, '_', '.' or '-'.", f"upload name {id(brought)}"
    suggested = st.session_state.setdefault(f"suggested {key}", uploads.name_for(brought.name))
    name = st.text_input("Name it", suggested, max_chars=64, key=key, help=about).strip()
    ready = not (brought.error or known.problem) and bool(name)
    row = st.container(horizontal=True)
    added = row.button(
        f"Add {plain_markdown(printable(name))}",
        type="primary",
        icon=":material/upload:",
        disabled=not ready,
        key="add upload",
    )
    left = row.button("Do not add", icon=":material/close:", key="do not add")
    if brought.choices:
        words = " ".join(map(shlex.quote, brought.choices.words()))
        with st.expander("The same without the page", icon=":material/terminal:"):
            file = shlex.quote(printable(brought.name))
            st.code(f"python -m semidml data look {file} {words} --keep", language="bash", wrap_lines=True)
    if left:
        incoming.leave()
        st.rerun()
    if added:
        bar = st.progress(0.0, text="Reading every image …")

        def tell(fraction: float, text: str) -> None:
            bar.progress(fraction, text=escape_markdown(text))

        done = f"{as_code(name)} is here: it is chosen above, and can be trained on."
        if manage.perform(partial(brought.add, name, tell), done, f"{as_code(name)} could not be added"):
            st.session_state["looked at"] = name
            st.session_state.pop(incoming.BROUGHT, None)
        st.rerun()
