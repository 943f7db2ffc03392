"""Folders and archives as people have them: which folder is a split, which names a class, what has no label."""

import io
import os
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from semidml.data import folders, image_files, layout, names, store
from semidml.data.choices import Choices
from semidml.data.image_files import Member


def png(value=0) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), value).save(file, "PNG")
    return file.getvalue()


def understand(paths: str, **choices) -> layout.Layout:
    """The layout of files at some paths, with * for two numbers: `a/*` is a/0.png and a/1.png."""
    every = [path.replace("*", f"{i}.png") for path in paths.split() for i in ((0, 1) if "*" in path else (0,))]
    members = [Member(tuple(path.split("/")), lambda: io.BytesIO(png())) for path in sorted(every)]
    return layout.read_layout(members, Choices(**choices))


def told(known: layout.Layout) -> dict[str, set[str | None]]:
    """{split: its classes}."""
    splits: dict[str, set[str | None]] = {}
    for item in known.items:
        splits.setdefault(item.split, set()).add(item.class_name)
    return splits


PAIR = {"train": {"a", "b"}, "test": {"a", "b"}}
LAYOUTS = {
    "as ever": ("train/a/* train/b/* test/a/* test/b/*", PAIR),
    "other words": ("Training/a/* Training/b/* EVALUATION/a/* EVALUATION/b/*", PAIR),
    "with a word before": ("mnist_train/a/* mnist_train/b/* mnist_test/a/* mnist_test/b/*", PAIR),
    "glued": ("trainSet/a/* trainSet/b/* testset/a/* testset/b/*", PAIR),
    "with a year": ("train2017/a/* train2017/b/* val2017/a/*", {"train": {"a", "b"}, "val": {"a"}}),
    "wrapped": ("x/y/train/a/* x/y/train/b/* x/y/test/a/* x/y/test/b/*", PAIR),
    "doubled": ("train/train/a/* train/train/b/* test/test/a/* test/test/b/*", PAIR),
    "below the class": ("a/train/* b/train/* a/test/* b/test/*", PAIR),
    "below some classes": ("a/train/* b/train/* a/test/*", {"train": {"a", "b"}, "test": {"a"}}),
    "images below": ("train/images/a/* train/images/b/* test/images/a/* test/images/b/*", PAIR),
    "images below the class": ("a/images/* b/images/*", {"train": {"a", "b"}}),
    "all three": ("train/a/* train/b/* valid/a/* test/b/*", {"train": {"a", "b"}, "val": {"a"}, "test": {"b"}}),
    "classes called so": ("car/* train/* bus/*", {"train": {"car", "train", "bus"}}),
    "words in classes": ("test_tube/* train_station/*", {"train": {"test_tube", "train_station"}}),
    "nothing but a class": ("train/* ", {"train": {None}}),
    "no label, British": ("train/a/* train/b/* unlabelled/*", {"train": {"a", "b", None}}),
    "no label, below": ("train/a/* train/b/* train/no_label/x/* test/a/*", {"train": {"a", "b", None}, "test": {"a"}}),
    "labelled beside": ("labeled/a/* labeled/b/* Unlabeled2017/*", {"train": {"a", "b", None}}),
    "unsupervised": ("train/pos/* train/neg/* train/unsup/*", {"train": {"pos", "neg", None}}),
    "beside the classes": ("a/* b/* x.png", {"train": {"a", "b", None}}),
    "flat": ("0.png 1.png 2.png", {"train": {None}}),
    "flat, wrapped": ("photos/*", {"train": {None}}),
    "flat splits": ("train/* test/*", {"train": {None}, "test": {None}}),
    "masks of each class": ("a/images/* a/masks/* b/images/* b/masks/*", {"train": {"a", "b"}}),
    "masks below a class": ("horse/* horse/masks/* cow/* cow/masks/*", {"train": {"horse", "cow"}}),
    "masks below a class of a split": (
        "train/a/* train/a/mask/* train/b/* test/a/* test/a/mask/* test/b/*",
        {"train": {"a", "b"}, "test": {"a", "b"}},
    ),
    "masks of loose images": ("* masks/* labels/*", {"train": {None}}),
    "a stray image beside mask as a class": (
        "x.png mask/* mask/2.png without_mask/*",
        {"train": {"mask", "without_mask", None}},
    ),
    "short splits": ("tr/a/* tr/b/* te/a/* te/b/*", PAIR),
    "languages": ("en/* tr/* te/*", {"train": {"en", "tr", "te"}}),
    "training and validation together": ("trainval/a/* trainval/b/* test/a/* test/b/*", PAIR),
    "the same in two words": ("train_val/a/* train_val/b/* test/a/* test/b/*", PAIR),
    "gallery and queries": ("gallery/a/* gallery/b/* query/a/* query/b/*", PAIR),
    "a gallery beside training": ("train/a/* train/b/* gallery/c/* query/c/*", {"train": {"a", "b"}, "test": {"c"}}),
    "a gallery among rooms": ("gallery/* kitchen/*", {"train": {"gallery", "kitchen"}}),
    "unlab": ("train/a/* train/b/* unlab/*", {"train": {"a", "b", None}}),
    "unlab beside classes": ("a/* b/* unlab/*", {"train": {"a", "b", None}}),
    "None": ("a/* b/* None/*", {"train": {"a", "b", None}}),
    "unclassified": ("train/a/* train/b/* train/unclassified/* test/a/*", {"train": {"a", "b", None}, "test": {"a"}}),
    "no class": ("train/a/* train/b/* test/a/* no_class/*", {"train": {"a", "b", None}, "test": {"a"}}),
    "one class and none": ("fault/* none/*", {"train": {"fault", "none"}}),
    "mask as a class": ("mask/* without_mask/*", {"train": {"mask", "without_mask"}}),
    "MVTec": (
        "bottle/train/good/* bottle/test/good/* bottle/test/broken/* bottle/ground_truth/broken/* x/readme.txt",
        {"train": {"good"}, "test": {"good", "broken"}},
    ),
    "several of MVTec": (
        "bottle/train/good/* bottle/test/broken/* cable/train/good/* cable/test/good/*",
        {"train": {"bottle", "cable"}, "test": {"bottle", "cable"}},
    ),
    "nested": ("animal/cat/* animal/dog/* vehicle/car/*", {"train": {"animal", "vehicle"}}),
    "minus one": ("-1/* 0/* 1/*", {"train": {"0", "1", None}}),
    "minus one and one": ("-1/* 1/*", {"train": {"-1", "1"}}),
    "a sample beside": (
        "trainingSet/trainingSet/0/* trainingSet/trainingSet/1/* trainingSample/trainingSample/0/* testSet/testSet/*",
        {"train": {"0", "1", None}},
    ),
    "masks beside splits": ("train/a/* train/b/* train_masks/* test/a/*", {"train": {"a", "b"}, "test": {"a"}}),
    "masks of splits": ("images/train/* images/val/* labels/train/*", {"train": {None}, "val": {None}}),
    "eval beside test": (
        "train/a/* train/b/* validation/a/* eval/a/* test/b/*",
        {"train": {"a", "b"}, "val": {"a"}, "test": {"a", "b"}},
    ),
    "one above the classes": ("top/a/* top/b/* notes.txt", {"train": {"a", "b"}}),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_layout_is_read_as_it_is_meant(case):
    paths, expected = LAYOUTS[case]
    assert told(understand(paths)) == expected


def test_any_level_of_nested_folders_can_name_the_class():
    paths = "animal/cat/* animal/dog/* vehicle/car/*"
    known = understand(paths)
    assert known.level == "1" and known.levels == (("animal", "vehicle"), ("car", "cat", "dog"))
    assert [question.options for question in known.questions if question.key == "level"] == [("1", "2", "all")]
    assert told(understand(paths, level="2")) == {"train": {"cat", "dog", "car"}}
    assert told(understand(paths, level="all")) == {"train": {"animal/cat", "animal/dog", "vehicle/car"}}
    with pytest.raises(ValueError, match="level 3 names no class: images lie 2 folders deep"):
        understand(paths, level="3")


def test_what_a_folder_is_can_be_changed():
    paths = "train/a/* train/b/* test/a/* extra/a/*"
    known = understand(paths)
    assert known.folders == {"train": "train", "test": "test", "extra": "left out"}
    assert [question.key for question in known.questions] == ["folder:extra"]
    assert len(understand(paths, folders={"extra": "train"}).items) == len(known.items) + 2
    assert told(understand("a/* b/* unknown/*", folders={"unknown": "unlabelled"})) == {"train": {"a", "b", None}}
    assert told(understand("train/* test/*", folders={"train": "class", "test": "class"})) == {
        "train": {"train", "test"}
    }
    with pytest.raises(ValueError, match="the folder 'a' can be train, val"):
        understand(paths, folders={"a": "nonsense"})


def test_masks_below_a_class_are_left_out_until_it_is_said_that_they_are_of_it():
    paths = "horse/* horse/masks/* cow/*"
    known = understand(paths)
    assert len(known.items) == 4 and [left for left, _ in known.left_out] == ["horse/masks/ (2 images)"]
    (asked,) = known.questions
    assert asked.key == "folder:horse/masks" and asked.options == ("left out", "passed through")
    assert asked.text == "Are the 2 images in horse/masks masks to leave out, or images of horse?"
    said = understand(paths, folders={"horse/masks": "passed through"})
    assert [item.class_name for item in said.items].count("horse") == 4 and not said.questions


def test_a_folder_whose_name_has_an_equals_sign_can_be_chosen_for():
    choices = Choices().with_words(["folder:label=cat/a=b=left out"])
    assert choices == Choices(folders={"label=cat/a=b": "left out"}) == Choices().with_words(choices.words())
    key = "folder:label=cat/a=b"
    assert choices.value_of(key) == "left out" and choices.value_of("folder:label") == ""
    assert choices == Choices().with_value(key, "left out") and not choices.without(key)
    with pytest.raises(ValueError, match="the folder 'a=b' can be train"):
        Choices().with_words(["folder:a=b=cat"])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("dogs_1.png", "dogs"),
        ("cat.0.jpg", "cat"),
        ("great_pyrenees_12.jpg", "great_pyrenees"),
        ("cat (3).png", "cat"),
        ("b2-07.tif", "b2"),
        ("Äpfel7.png", "Äpfel"),
        ("0001.png", None),
        ("2024-05_3.png", None),
        ("dog.png", None),
    ],
)
def test_what_stands_before_the_number_of_a_file(file, name):
    assert names.before_number(file) == name


def test_files_of_a_flat_folder_may_name_the_class_which_is_asked():
    paths = "dogs_1.png dogs_2.png cats_1.png cats_2.png cats_3.png readme.md"
    known = understand(paths)
    assert told(known) == {"train": {None}}
    (asked,) = known.questions
    assert (asked.key, asked.options, asked.default) == ("level", ("", "names"), "")
    assert asked.text == (
        "Files are called cats_1.png and dogs_1.png: is what stands before the number the class? "
        "Then there are 2: cats, dogs; else there is none."
    )
    said = understand(paths, level="names")
    assert told(said) == {"train": {"dogs", "cats"}} and said.level == "names"
    assert [item.class_name for item in said.items].count("cats") == 3
    kaggle = "train/cat.0.jpg train/cat.1.jpg train/dog.0.jpg train/dog.1.jpg test/1.jpg test/2.jpg"
    assert told(understand(kaggle, level="names")) == {"train": {"cat", "dog", None}}
    assert told(understand(f"{paths} unlabelled/dogs_9.png", level="names")) == {"train": {"dogs", "cats", None}}


@pytest.mark.parametrize(
    "paths",
    [
        "IMG_1.png IMG_2.png IMG_3.png",
        "1.png 2.png 3.png",
        "a1.png b1.png c1.png",
        "dogs_1.png dogs_2.png cats_1.png cats_2.png " + " ".join(f"{i}.png" for i in range(5)),
    ],
)
def test_names_that_tell_no_classes_are_not_asked_about(paths):
    assert not understand(paths).questions


def test_a_folder_called_none_may_be_a_class():
    (asked,) = understand("ok/* palm/* none/*").questions
    assert asked.key == "folder:none" and asked.options == ("unlabelled", "class") and asked.default == "unlabelled"
    assert told(understand("ok/* palm/* none/*", folders={"none": "class"})) == {"train": {"ok", "palm", "none"}}
    assert not understand("ok/* palm/* unlab/*").questions, "that is sure"


def test_a_folder_called_255_that_holds_most_images_is_asked_about():
    many = " ".join(f"255/{i}.png" for i in range(9))
    (asked,) = understand(f"0/* 1/* {many}").questions
    assert asked.key == "folder:255" and asked.text.startswith("9 of 13 images lie in 255.")
    assert told(understand(f"0/* 1/* {many}", folders={"255": "unlabelled"})) == {"train": {"0", "1", None}}
    assert not understand("0/* 1/* 255/*").questions and not understand(f"a/* b/* {many}").questions


@pytest.mark.parametrize(
    "paths, folder",
    [
        ("train/good/* test/good/* test/broken/*", "train/good"),
        (
            "bottle/train/good/* bottle/test/good/* bottle/test/broken/* bottle/ground_truth/broken/*",
            "bottle/train/good",
        ),
        ("good/train/* good/test/* broken/test/*", "good/train"),
    ],
)
def test_training_images_of_one_class_are_asked_to_be_without_a_label(paths, folder):
    asked = [question for question in understand(paths).questions if question.key == f"folder:{folder}"]
    role = "train" if folder.endswith("train") else "class"
    assert [(question.default, question.options) for question in asked] == [(role, (role, "unlabelled"))]
    assert asked[0].text.startswith("All 2 training images are of one class, good.")
    said = understand(paths, folders={folder: "unlabelled"})
    assert told(said) == {"train": {None}, "test": {"good", "broken"}}
    assert f"folder:{folder}" not in [question.key for question in said.questions]
    assert not [q for q in understand("train/good/* unlabelled/* test/bad/*").questions if "one class" in q.text]


def test_a_test_folder_without_classes_can_be_left_out():
    paths = "train/a/* train/b/* test/*"
    assert told(understand(paths)) == {"train": {"a", "b", None}}
    known = understand(paths, folders={"test": "left out"})
    assert told(known) == {"train": {"a", "b"}} and known.left_out == (("test/ (2 images)", "chosen"),)


def test_names_that_differ_by_unicode_form_are_one_class_and_those_of_one_split_by_case_are_two():
    composed, parted = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    known = understand(f"train/{composed}/* train/b/* test/{parted}/* test/b/*")
    assert known.class_names == ("Café", "b") and len(known.merged) == 1
    many = understand(" ".join(f"train/x{i}y/* test/X{i}y/*" for i in range(12)))
    assert len(many.notes) == 1 and many.notes[0].count("are one class") == 5 and "7 more" in many.notes[0]
    letters = understand("train/a/* train/A/* test/a/* test/A/*")
    assert letters.class_names == ("A", "a") and letters.merged == ()


def test_many_names_of_which_some_are_one_class_are_merged_in_no_time():
    """Eight thousand took 21 s, before it was said that they are too many: each was compared with all."""

    class Compared(str):
        count = 0

        def casefold(self):
            Compared.count += 1
            return str.casefold(self)

    used = {split: [Compared(f"{letter}{i}") for i in range(300)] for split, letter in (("train", "a"), ("test", "A"))}
    original = names._composed
    names_of = {name: Compared(original(name)) for own in used.values() for name in own}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_composed", names_of.__getitem__)
        merged = names.merge_names(used)
    assert merged["A7"] == "a7" and Compared.count < 5000
    assert names.merge_names({"train": ["a", "A", "b"], "test": ["a", "B"]}) == {"a": "a", "A": "A", "b": "b", "B": "b"}


def test_classes_stand_in_the_order_of_their_numbers():
    assert names.sort_classes(["10", "9", "1.5", "-2"]) == ("-2", "1.5", "9", "10")
    assert names.sort_classes(["img10", "img9", "Zoo", "a-b", "a1"]) == ("Zoo", "a-b", "a1", "img9", "img10")
    birds = ["001.Black", "010.Red", "200.Yellow"]
    assert names.sort_classes(birds) == tuple(sorted(birds)), "the order of before"


@pytest.mark.parametrize(
    "folder", ["@eaDir", "lost+found", "$RECYCLE.BIN", "__MACOSX", ".git", "System Volume Information"]
)
def test_what_systems_leave_behind_is_no_class(tmp_path, folder):
    for place in ("a", "b", folder):
        (tmp_path / place).mkdir()
        (tmp_path / place / "0.png").write_bytes(png())
        (tmp_path / place / "Thumbs.db").write_bytes(b"x")
    with image_files.list_members(tmp_path) as members:
        assert [member.parts for member in members] == [("a", "0.png"), ("b", "0.png")]


# ---- archives


def zip_of(path: Path, names_of: list[bytes], windows: bool) -> Path:
    """A .zip whose names are the bytes given, without a mark that says what letters they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names_of):
            info = zipfile.ZipInfo(f"{number}" + "x" * (len(name) - len(str(number))))
            info.create_system = 0 if windows else 3
            archive.writestr(info, png())
    content = path.read_bytes()
    for number, name in enumerate(names_of):
        content = content.replace((f"{number}" + "x" * (len(name) - len(str(number)))).encode(), name)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "text, letters",
    [("猫", "gbk"), ("数字零", "gbk"), ("猫", "utf-8"), ("Größe", "utf-8"), ("Größe", "cp437"), ("Müller", "cp437")],
)
def test_names_of_a_zip_are_read_in_the_letters_they_were_written_in(tmp_path, text, letters):
    raw = [f"{text}\\{i}.png".encode(letters) for i in range(2)] + [f"b\\{i}.png".encode() for i in range(2)]
    with image_files.list_members(zip_of(tmp_path / "x.zip", raw, letters != "utf-8")) as members:
        assert {member.parts[0] for member in members} == {text, "b"}


def tar_of(path: Path, add, packed: bool = True) -> Path:
    with tarfile.open(path, "w:gz" if packed else "w") as archive:
        for name in ("top/a/0.png", "top/b/0.png"):
            info = tarfile.TarInfo(name)
            info.size = len(png())
            archive.addfile(info, io.BytesIO(png()))
        add(archive)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("packed", [True, False])
def test_a_tar_is_read_packed_or_not(tmp_path, packed):
    long = "top/a/" + "x" * 300 + ".png"  # a name in a further header
    with image_files.list_members(tar_of(tmp_path / "x.tar", lambda a: a.addfile(entry(long)), packed)) as members:
        assert [m.parts[1] for m in members] == ["a", "a", "b"] and members[0].open().read() == png()


@pytest.mark.parametrize(
    "made, words",
    [
        (entry("top/a/1.png", tarfile.SYMTYPE, "/etc/passwd"), "holds a link"),
        (entry("top/a/1.png", tarfile.LNKTYPE, "top/a/0.png"), "holds a link"),
        (entry("top/a/1.png", tarfile.CHRTYPE), "no plain file"),
        (entry("top/a/1.png", tarfile.FIFOTYPE), "no plain file"),
        (entry("../../evil.png"), "leads out of it"),
        (entry("/a/evil.png"), "leads out of it"),
    ],
)
def test_a_tar_with_links_devices_and_names_that_lead_out_is_refused(tmp_path, made, words):
    path = tar_of(tmp_path / "x.tar.gz", lambda archive: archive.addfile(made))
    with pytest.raises(ValueError, match=words), image_files.list_members(path):
        pass


def test_a_tar_that_unpacks_to_too_much_or_has_a_giant_name_is_refused(tmp_path, monkeypatch):
    def giant(archive):
        info = entry("x", tarfile.XHDTYPE)
        info.size = 2 << 20
        archive.addfile(info, io.BytesIO(bytes(2 << 20)))

    path = tar_of(tmp_path / "giant.tar.gz", giant)
    with pytest.raises(ValueError, match="more than a million letters"), image_files.list_members(path):
        pass
    monkeypatch.setattr(image_files, "MAX_ARCHIVE_BYTES", 5000)
    path = tar_of(tmp_path / "large.tar.gz", lambda archive: None)
    with pytest.raises(ValueError, match=r"the \.tar\.gz unpacks to"), image_files.list_members(path):
        pass


def test_a_damaged_tar_is_refused_in_words(tmp_path):
    path = tar_of(tmp_path / "x.tar.gz", lambda archive: None)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"cannot be read as a \.tar"), image_files.list_members(path):
        pass


def test_a_large_folder_with_images_without_a_label_is_read_as_a_small_one(tmp_path, monkeypatch):
    from semidml.data import decoded

    for number in range(40):
        place = tmp_path / "set" / ("unlabeled" if number >= 24 else f"c{number % 4}") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(number))
    small = store.load(str(tmp_path / "set"), allow_paths=True, folder=tmp_path / "data")
    monkeypatch.setattr(decoded, "LARGE", 0)
    store.kept.clear()
    large = store.load(str(tmp_path / "set"), allow_paths=True, folder=tmp_path / "data")
    for split in ("train", "test"):
        pairs = [
            {(int(x[0, 0, 0]), int(y)) for x, y in zip(*getattr(data, split), strict=True)} for data in (small, large)
        ]
        labelled = [{pair for pair in own if pair[1] >= 0} for own in pairs]
        assert pairs[0] - labelled[0] == pairs[1] - labelled[1] and len(labelled[0]) == len(labelled[1])
    halves = large.by_classes()
    assert set(halves.train.labels.tolist()) == {0, 1} and set(halves.test.labels.tolist()) == {2, 3}
    assert not os.listdir(tmp_path / "data" / "decoded")[2:]


def test_a_walk_does_not_look_through_all_folders_in_each():
    """A hundred thousand folders would have taken a quarter of an hour."""

    class NotWhole(dict):
        def items(self):
            raise AssertionError("all folders are looked through")

    paths = ["a/0.png", "b/0.png", "notes/x/read.txt", "notes/read.txt", "a/more/read.txt"]
    tree = folders.Tree([Member(tuple(path.split("/")), lambda: io.BytesIO(png())) for path in paths])
    tree.files = NotWhole(tree.files)
    walk = layout._Walk(tree, Choices())
    walk.visit((), "", ())
    assert {path for path, _ in walk.left_out} == set(paths[2:]) and len(walk.rows) == 2
