"""The visitor's own data sets: bring, show, delete."""

import streamlit as st

from semidml.data import store
from semidml.data.store import Available
from semidml.data.uploads import delete_upload, save_upload
from semidml.ui import frame
from semidml.ui.words import as_code
from semidml.words import size_words

LAYOUT = """An **.npz** file in [MedMNIST's layout](https://medmnist.com), as `numpy.savez` writes it:

- `train_images` (N, H, W) grey or (N, H, W, 3) colour, `uint8`; `train_labels` (N,), whole numbers
- perhaps `test_images` and `test_labels`, `val_images` and `val_labels`, `class_names`

or a **.zip** of class folders: `cats/1.png`, `dogs/1.jpg`. Without a test split, 20 % of each class are held out."""


# ---- your own


def own() -> None:
    """Upload, and the uploads there are."""
    form, held = st.columns([1.5, 1], gap="large")
    with form:
        upload()
        with st.expander("What a file must hold", icon=":material/help:"):
            st.markdown(LAYOUT)
    with held:
        uploads = [one for one in store.available() if one.kind == "upload"]
        st.markdown(
            "**Uploads here**" if uploads else "No uploads yet. They are kept in the data folder until you delete them."
        )
        for one in uploads:
            an_upload(one)


def upload() -> None:
    """A file, a name, a button; errors as the reader words them."""
    round_ = st.session_state.setdefault("upload round", 0)
    file = st.file_uploader(
        "Your images",
        type=["npz", "zip"],
        key=f"upload {round_}",
        help="At most 50 MB. It stays on this machine.",
        on_change=lambda: st.session_state.pop("upload error", None),
    )
    name = st.text_input(
        "Name it",
        max_chars=64,
        key=f"upload name {round_}",
        placeholder="my-images",
        help="Letters, digits, spaces, '_', '.' or '-'.",
    )
    words = f"Add {as_code(file.name[:40])}" if file else "Add"
    if st.button(words, type="primary", icon=":material/upload:", disabled=file is None, key="add upload"):
        try:
            with st.spinner("Reading every image …"):
                added = save_upload(name or file.name.rsplit(".", 1)[0], file, file.name)
        except (ValueError, OSError) as error:
            st.session_state["upload error"] = str(error)
        else:
            st.session_state.pop("upload error", None)
            st.session_state["upload round"] = round_ + 1
            st.session_state["looked at"] = added.name
            st.session_state["upload added"] = added.name
            st.rerun()
    if error := st.session_state.get("upload error"):
        frame.show_error(error)
    if added := st.session_state.pop("upload added", None):
        st.success(f"{as_code(added)} is here: it is chosen above, and can be trained on.", icon=":material/check:")


def an_upload(one: Available) -> None:
    """An upload with its size, and a way to delete it that asks first."""
    words, button = st.columns([3, 1.4], vertical_alignment="center")
    rows = f", {one.facts['train'] + one.facts['test']:,} images" if one.facts else ""
    words.markdown(
        f"{as_code(one.name)}{rows}, {size_words(1e6 * one.megabytes)}" + (":material/warning:" if one.problem else "")
    )
    with button.popover("Delete", icon=":material/delete:"):
        st.write(f"Delete the images {as_code(one.name)}? Runs trained on them keep their maps, but lose the pictures.")
        st.button("Delete", type="primary", on_click=delete, args=(one.name,), key=f"delete {one.name}")


def delete(name: str) -> None:
    try:
        delete_upload(name)
    except ValueError as error:
        st.session_state["upload error"] = str(error)
