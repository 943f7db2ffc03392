"""Data: what there is to train on, what can be fetched, which labels a setting sees, and your own images."""

from typing import TYPE_CHECKING

import streamlit as st

from semidml import tasks
from semidml.config import RunConfig, declared_knobs
from semidml.data import DATASETS, labels, store
from semidml.data.splits import seen_labels
from semidml.data.store import Available
from semidml.explore import dataset, points
from semidml.plots.counts import image_grid
from semidml.plots.pictures import image_sheet
from semidml.ui import cache, frame, links, pictures, uploads
from semidml.ui.words import as_code, entry_title, plain_markdown
from semidml.words import size_words, value_words

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset

CLASSES_AT_ONCE = 12
IMAGES_A_CLASS = 12
MOST_SEEN_SHOWN = 120
PERCENTAGES = (0.01, 0.1, 1.0, 10.0, 100.0)  # Safir et al. 2022, and those between

NO_LABELS = (
    "No training image has a label: what learns from images alone can be trained, as clusters without labels, an "
    "autoencoder (alpha 1) or a prior."
)


def pick_data() -> Available:
    """The data set that the page is about: the link's, or the one chosen here."""

    def say_gone(name: str) -> None:
        st.warning(
            f"There is no data set called {as_code(name)} here. Here is another one.", icon=":material/link_off:"
        )

    known = {data.name: data for data in store.available()}
    titles = {name: entry_title("data", name) for name in known}
    return known[links.choose_linked("data", titles, "looked at", say_gone, key="data set", label="Data set")]


def draw_facts(data: Available) -> None:
    """What it is, in one paragraph: rows, classes, size, licence, source."""
    facts, entry = data.facts, DATASETS.get(data.name)
    if entry:
        st.markdown(f"**{entry.title}**: {entry.summary}.")
    else:
        st.markdown(f"**Your own**: {as_code(data.title)}, {size_words(1e6 * data.megabytes)} on disk.")
        uploads.draw_chosen(data.name)
    if facts:
        channels, height, width = facts["shape"]
        parts = [part for part in ("train", "validation", "test") if part != "validation" or facts.get(part)]
        rows = " · ".join(f"{facts[part]:,} {'training' if part == 'train' else part}" for part in parts)
        colour = "grey" if channels == 1 else "colour"
        classes = f"in {facts['classes']:,} classes" if facts["classes"] else "without classes"
        st.markdown(f"{rows} images of {width} x {height} pixels, {colour}, {classes}.")
        if labelled := facts.get("labelled"):
            told = (f"{labelled[part]:,} of {facts[part]:,}" for part in parts)
            names = ("training" if part == "train" else part for part in parts)
            having = " · ".join(f"{count} {part}" for count, part in zip(told, names, strict=True))
            st.markdown(f"Images with a label: {having}. The others train what learns from images alone.")
    if entry:
        st.caption(f"Licence: {facts['licence']} · [Source]({facts['source']}) · {entry.paper}")


def load_data(name: str) -> "Dataset":
    """A data set; where its reading takes a while the page says how far that is. It goes on if the visitor leaves.
    Raises: ValueError in words."""

    def load(progress: tasks.Progress) -> None:
        progress(0.0, "Loading the images")
        store.load(name, progress=progress)

    task = tasks.start_task(("load", name), load)
    frame.wait_for(task)
    if task.error:
        raise ValueError(task.error)
    return store.load(name)


def draw_images(name: str) -> None:
    data = load_data(name)
    for note in data.notes:
        st.info(plain_markdown(note), icon=":material/info:")
    names, train, test = dataset.class_counts(data)
    left, right = st.columns([1, 1.7], gap="large")
    with left:
        with st.container(key="beside a button"):
            st.header("Images of each class", anchor=False)
        pictures.draw_counts("counts", names, {"training": train, "test": test})
    with right:
        first = choose_classes(names)
        head, button = st.columns([3, 1], vertical_alignment="center")
        head.header("Training images, a row for each class", anchor=False)
        draw = st.session_state.setdefault("image draw", 0)
        act = {"on_click": lambda: st.session_state.update({"image draw": draw + 1})}
        button.button("Others", icon=":material/shuffle:", width="stretch", key="others", **act)
        shown_classes = range(first, min(first + CLASSES_AT_ONCE, len(names)))
        images = dataset.images_of_each_class(data, shown_classes, IMAGES_A_CLASS, seed=draw)
        titles = points.in_charts([names[c] for c in shown_classes])
        state = (name, draw, first, *titles, sum(int(i.sum()) for i in images))
        pictures.draw_chart("grid", state, lambda dark: image_grid(images, titles, dark))


def choose_classes(names: list[str]) -> int:
    """The first of the classes that the grid shows."""
    if len(names) <= CLASSES_AT_ONCE:
        return 0
    starts = range(0, len(names), CLASSES_AT_ONCE)
    return st.selectbox(
        "Classes",
        starts,
        format_func=lambda s: f"classes {s + 1} to {min(s + CLASSES_AT_ONCE, len(names))} of {len(names)}",
        key="first class",
    )


def draw_seen(name: str) -> None:
    """The draw of labels for a percentage, a sampling and a seed."""
    data, known = store.load(name), declared_knobs()
    official = data.official_train
    if not official:
        st.info(NO_LABELS, icon=":material/label_off:")
        return
    amount, sampling, seed = st.columns([2, 1, 1])
    pl = amount.select_slider(
        "Labels seen",
        PERCENTAGES,
        value=next(p for p in PERCENTAGES if p == 100 or seen_labels(p, official) >= 3 * len(data.class_names)),
        format_func=lambda p: f"{seen_labels(p, official):,} ({value_words(p)} %)",
        help=known["pl"].help.capitalize() + ".",
        key=f"seen pl {name}",
    )
    how = sampling.selectbox(
        "Label sampling",
        known["label_sampling"].choices,
        help=known["label_sampling"].help.capitalize() + ".",
        key="seen sampling",
    )
    number = seed.number_input(
        "Seed", 0, int(known["seed"].high), 0, help="Another seed draws other labels.", key="seen seed"
    )
    try:
        config = RunConfig.of({"data": name, "pl": pl, "label_sampling": how, "seed": number})
        drawn = dataset.seen_images(config, data, MOST_SEEN_SHOWN)
    except ValueError as error:
        frame.show_error(error)
        return
    names = list(data.class_names)
    reason = "because a metric loss could not have learned from the draw"
    redrawn = f"; drawn again {drawn.redraws} times, {reason}" if drawn.redraws else ""
    told = labels.describe(pl, official, how, len(names), data.unlabelled)
    st.markdown(f"This setting sees **{told}**{redrawn}.")
    left, right = st.columns([1, 1.7], gap="large")
    with left:
        pictures.draw_counts("seen", names, {"seen": drawn.counts})
    with right:
        pictures.draw_pixels(image_sheet(drawn.images), "images with a seen label")
        part = "All" if len(drawn.images) == drawn.n else f"{len(drawn.images)} of the"
        st.caption(f"{part} {drawn.n:,} images with a seen label, class after class.")
    st.page_link(
        frame.TRAIN, label="Train with these labels", icon=":material/play_circle:", query_params=links.link_of(config)
    )


def draw_table() -> None:
    table = [
        {
            "Here": data.here,
            "Data set": data.title,
            "Training": data.facts.get("train"),
            "Test": data.facts.get("test"),
            "Classes": data.facts.get("classes"),
            "Pixels": "{2} x {1}".format(*data.facts["shape"]) if data.facts else "",
            "Download": f"{data.megabytes:g} MB" if data.kind == "table" and data.megabytes else "",
            "Licence": data.facts.get("licence", "your own" if data.kind == "upload" else ""),
            "Source": data.facts.get("source"),
        }
        for data in store.available()
    ]
    columns = {name: st.column_config.NumberColumn(format="localized") for name in ("Training", "Test", "Classes")}
    columns["Source"] = st.column_config.LinkColumn(display_text="page")
    st.dataframe(table, hide_index=True, width="stretch", height="content", column_config=columns)


# ---- the page

frame.begin_page("Data", ["data"])
st.title("Data")
st.markdown("Images to train on: what is on this machine, what can be **fetched**, and **your own**.")
chosen = pick_data()
draw_facts(chosen)
if chosen.here and not frame.is_warm():
    st.caption(cache.COLD)
elif chosen.here:
    try:
        draw_images(chosen.name)
        st.header("Which labels a setting sees")
        draw_seen(chosen.name)
    except ValueError as error:
        frame.show_error(error)
else:
    uploads.draw_fetch(chosen)
st.header("Your own images")
uploads.draw_own()
st.header("All data sets")
draw_table()
frame.draw_recipe(
    f"python -m semidml data fetch {chosen.name}" if chosen.kind == "table" else "python -m semidml data",
    f"from semidml.data import store\n\ndata = store.load({chosen.name!r}, download=True)\n"
    "print(data.train.images.shape, data.class_names)",
)
