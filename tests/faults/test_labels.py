"""Labels that are none, in an uploaded .npz: refused in words, before they wrap round, fill the memory or run code."""

import io
import os
import time
import zipfile

import numpy as np
import pytest

from semidml.data import store, uploads
from semidml.data.labels import MOST_LABEL, whole_labels

N = 40
HALVES = np.arange(N) % 2


@pytest.fixture(autouse=True)
def folder(tmp_path):
    store.kept.clear()
    return tmp_path


def saved(labels: np.ndarray, **more: np.ndarray) -> bytes:
    file = io.BytesIO()
    images = np.random.default_rng(0).integers(0, 256, (N, 8, 8), dtype=np.uint8)
    np.savez_compressed(file, train_images=images, train_labels=labels, **more)
    return file.getvalue()


def promised(dtype: str, shape: tuple[int, ...]) -> bytes:
    """A file whose class_names promise more than they hold."""
    file = io.BytesIO(saved(HALVES))
    with zipfile.ZipFile(file, "a") as archive, archive.open("class_names.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


class Harmful:
    def __reduce__(self):
        return os.system, ("touch /tmp/semidml-labels",)


def with_one(value: object, dtype: str) -> np.ndarray:
    labels = HALVES.astype(dtype)
    labels[7] = value
    return labels


BEYOND = "a label is a whole number from 0 to 9,223,372,036,854,775,807"
REFUSED = {
    "beyond int64": (with_one(2**63, "uint64"), f"train_labels has 9223372036854775808 in row 7.*{BEYOND}"),
    "all bits": (with_one(2**64 - 1, "uint64"), f"has 18446744073709551615 in row 7.*{BEYOND}"),
    "beyond, big end first": (with_one(2**63, ">u8"), f"has 9223372036854775808 in row 7.*{BEYOND}"),
    "beyond, in a column": (with_one(2**63, "uint64")[:, None], f"in row 7.*{BEYOND}"),
    "negative": (with_one(-2, "int64"), f"has -2 in row 7.*{BEYOND}"),
    "negative byte": (with_one(-2, "int8"), f"has -2 in row 7.*{BEYOND}"),
    "the least": (with_one(-(2**63), "int64"), f"has -9223372036854775808 in row 7.*{BEYOND}"),
    "beyond 2^53": (with_one(2.0**53 + 2, "float64"), "labels must be whole numbers"),
    "infinite": (with_one(np.inf, "float16"), "labels must be whole numbers"),
    "complex": (HALVES.astype(complex), "complex128; labels must be whole numbers"),
    "dates": (HALVES.astype("datetime64[D]"), "labels must be whole numbers"),
    "records": (HALVES.astype([("a", "i4")]), "labels must be whole numbers"),
    "objects": (np.array([Harmful()] * N, dtype=object), "Python objects"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_label_is_refused_in_words(folder, kind):
    labels, words = REFUSED[kind]
    with pytest.raises(ValueError, match=words) as refusal:
        uploads.save_upload("mine", saved(labels), "mine.npz", folder)
    assert len(str(refusal.value)) < 300 and not os.path.exists("/tmp/semidml-labels")
    assert "mine" not in {data.name for data in store.available(folder)}


def test_labels_of_the_other_splits_are_looked_at_too(folder):
    more = {"test_images": np.zeros((2, 8, 8), np.uint8), "test_labels": np.array([0, -2])}
    with pytest.raises(ValueError, match="test_labels has -2 in row 1"):
        uploads.save_upload("mine", saved(HALVES, **more), "mine.npz", folder)


@pytest.mark.parametrize(("dtype", "shape"), [("<U0", (10**9,)), ("<U200", (10**9,)), ("<U200", (2**62,))])
def test_a_thousand_million_class_names_are_refused_by_their_header(folder, dtype, shape):
    began = time.process_time()
    with pytest.raises(ValueError, match=r"class_names(\.npy promises another size| has 1,000,000,000 names)"):
        uploads.save_upload("mine", promised(dtype, shape), "mine.npz", folder)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "<i4", ">i8", "uint64"])
def test_whole_numbers_of_any_type_are_taken(folder, dtype):
    uploads.save_upload("mine", saved(HALVES.astype(dtype)), "mine.npz", folder)
    data = store.load("mine", folder=folder)
    assert len(data.class_names) == 2 and data.train.labels.bincount().tolist() == [16, 16]


def test_the_largest_label_is_one():
    assert whole_labels("labels", np.array([0, MOST_LABEL], np.uint64)).tolist() == [0, MOST_LABEL]
