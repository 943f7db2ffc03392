"""What brings data sets here: a download, or the visitor's own file."""

from functools import partial

import streamlit as st

from semidml import tasks
from semidml.data import quota, store
from semidml.data.choices import read_choices
from semidml.data.store import Available
from semidml.data.uploads import MAX_UPLOAD, choices_of, delete_upload
from semidml.ui import frame, incoming, intake, manage, understood
from semidml.ui.words import as_code, plain_markdown, short_path
from semidml.words import size_words

SECONDS_LIVE = 0.5
TYPES = ["npz", "zip", "tar", "gz", "npy", "csv", "parquet", "mat"]
LAYOUT = """An **.npz** file in [MedMNIST's layout](https://medmnist.com), as `numpy.savez` writes it:

- `train_images` (N, H, W) grey or (N, H, W, 3) colour, `uint8`; `train_labels` (N,), whole numbers or text; -1, NaN,
  an empty text or one as `unlabeled` where an image has no label
- perhaps `test_images` and `test_labels`, `val_images` and `val_labels`, `class_names`

or a **.zip** or **.tar.gz** of class folders: `cats/1.png`, `dogs/1.jpg`, perhaps in `train` and `test`; images in no
class folder, or in `unlabeled`, have no label. An .npz under other usual names, a .csv of pixels, Parquet and MATLAB's
.mat are read too. Without a test split, 20 % of each class are held out."""


def draw_fetch(data: Available) -> None:
    """The button, the progress, and what went wrong."""
    key = ("fetch", data.name)
    task = tasks.find_task(key)
    working = task is not None and not task.done
    if data.problem:
        frame.show_error(data.problem)
    if data.kind != "table":
        return
    needed = (data.facts["packed"],) if "packed" in data.facts else data.facts["files"]
    files, folder = ", ".join(f"`{file}`" for file in needed), f"`{short_path(store.data_folder())}`"
    if data.facts.get("by_hand"):
        st.caption(f"It can no longer be fetched: put {files}, and the images beside, into {folder}.")
        return
    st.button(
        f"Fetch {data.title} ({data.megabytes:g} MB)",
        type="primary",
        icon=":material/download:",
        disabled=working,
        on_click=tasks.start_task,
        args=(key, lambda progress: bool(store.load(data.name, download=True, progress=progress))),
        key="fetch",
    )
    kept = f"It is fetched from its makers, checked, and kept in {folder}."
    st.caption(f"{kept} Without a network, put {files} there.")
    if working:
        st.fragment(frame.draw_task, run_every=SECONDS_LIVE)(key, fetch_words)
    elif task is not None and task.error:
        frame.show_error(task.error)


def fetch_words(task: tasks.Task) -> str:
    return f"{task.text if task.fraction else 'Looking for the network …'} ({task.seconds:.0f} s)"


def draw_own() -> None:
    """Upload, and the uploads there are."""
    is_brought = incoming.find_brought() is not None
    manage.draw_outcome()
    if is_brought:
        understood.draw_brought()
    form, held = st.columns([1.5, 1], gap="large")
    with form:
        if not is_brought:
            draw_form()
        with st.expander("What a file must hold", icon=":material/help:"):
            st.markdown(LAYOUT)
    with held:
        uploads = [data for data in store.available() if data.kind == "upload"]
        st.subheader("Uploads here", anchor=False)
        if not uploads:
            st.markdown("None yet. They are kept in the data folder until you delete them.")
        for data in uploads:
            draw_upload(data)
        folder = store.data_folder()
        manage.draw_quota("Uploads and decoded images take", quota.used_bytes(folder), quota.allowed_bytes)
        st.caption(
            f"`{quota.VARIABLE}` sets how much they may take. Decoded images can be made again: those that nobody has "
            "read for longest go before an upload is refused."
        )


def draw_form() -> None:
    """Where a file is put; what it was understood to be is shown before anything is added."""
    number = st.session_state.setdefault("upload round", 0)
    try:
        most = min(MAX_UPLOAD, quota.left_bytes(store.data_folder())) >> 20
    except ValueError:  # the sidebar says so
        return
    if not most:
        st.warning("There is no room for another upload: delete one first.", icon=":material/folder_off:")
        return
    about, key = f"At most {most} MB. It stays on this machine.", f"upload {number}"
    file = st.file_uploader("Your images", type=TYPES, key=key, help=about, max_upload_size=most)
    st.caption("You see what the file was understood to be, and can change it, before anything is added.")
    if file is not None:
        manage.perform(partial(incoming.take_in, file), failed=f"{as_code(file.name)} could not be taken in")
        intake.let_go(file.file_id)
        st.session_state["upload round"] += 1  # an empty uploader, when there is one again
        st.rerun()


def draw_chosen(name: str) -> None:
    """What was chosen when an upload was added."""
    try:
        chosen = read_choices(choices_of(name)).sentences()
    except ValueError as error:
        frame.show_error(error)
        return
    if chosen:
        st.caption(f"Chosen when it was added: {plain_markdown(' '.join(chosen))}")


def draw_upload(data: Available) -> None:
    """An upload with its size, and a way to delete it that asks first."""
    words, button = st.columns([3, 1.4], vertical_alignment="center")
    rows = f", {data.facts['train'] + data.facts['test']:,} images" if data.facts else ""
    words.markdown(
        f"{as_code(data.name)}{rows}, {size_words(1e6 * data.megabytes)}"
        + (":material/warning:" if data.problem else "")
    )
    with button.popover("Delete", icon=":material/delete:"):
        st.write(
            f"Delete the images {as_code(data.name)}? Runs trained on them keep their maps, but lose the pictures."
        )
        words = f"{as_code(data.name)} is deleted.", f"{as_code(data.name)} could not be deleted"
        act = {"on_click": manage.perform, "args": (partial(delete_upload, data.name), *words)}
        st.button("Delete", type="primary", key=f"delete {data.name}", **act)
