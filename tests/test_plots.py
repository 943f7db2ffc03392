"""Figures: what is drawn is what was given, nothing jumps, and colours can be told apart."""

import io
import itertools
import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from semidml.explore.drawing import colour_points
from semidml.frames import Frame, Record
from semidml.plots import chart as chart_data
from semidml.plots import colours, counts, curves, pictures, style

NAMES = [f"class {i}" for i in range(10)]
LIGHT, NIGHT = "#ffffff", "#0f141b"
# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISIONS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@dataclass
class Tick:
    """What the curves read of a training's record."""

    epoch: int
    step: int = 0
    steps: int = 4
    terms: dict = field(default_factory=dict)
    weights: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def cielab(rgb):
    """CIE 1976, of linear sRGB under D65."""
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
              [0.0193339, 0.1191920, 0.9503041]]  # fmt: skip
    xyz = np.array(to_xyz) @ rgb.clip(0, 1) / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(a, b):
    """WCAG 2."""
    low, high = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def cloud(n=400, dims=2, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    return (rng.normal(size=(10, dims))[labels] * 5 + rng.normal(size=(n, dims))).astype(np.float32), labels


def plain(figure):
    """The figure as the browser gets it; fails on NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} in a figure")

    return json.loads(figure.to_json(), parse_constant=refuse)


def plain_chart(chart):
    """The chart as the browser gets it; fails on NaN."""
    return json.loads(json.dumps(chart.sent(), allow_nan=False))


@pytest.mark.parametrize("vision", VISIONS)
def test_classes_can_be_told_apart_by_every_kind_of_eye(vision):
    seen = [cielab(np.array(VISIONS[vision]) @ linear(c)) for c in colours.CLASS_COLOURS]
    nearest = {n: min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen[:n], 2)) for n in (10, 20)}
    assert nearest[10] > 19 and nearest[20] > 11.5
    unlabelled = cielab(np.array(VISIONS[vision]) @ linear(colours.UNLABELLED))
    assert min(np.linalg.norm(c - unlabelled) for c in seen[:10]) > 18.5  # which have no class


def test_no_class_is_neon():
    """What glares on a screen is duller in print, and then like another: pure yellow has a chroma of 97."""
    assert max(np.hypot(*cielab(linear(c))[1:]) for c in colours.CLASS_COLOURS) < 67
    assert np.hypot(*cielab(linear("#ffff00"))[1:]) > 95


def test_colours_show_on_light_and_dark():
    assert min(contrast(c, LIGHT) for c in colours.CLASS_COLOURS) >= 2
    assert min(contrast(c, NIGHT) for c in colours.CLASS_COLOURS) >= 2.6
    thin = (*style.LINE_COLOURS, style.INK[None][0])
    assert min(contrast(c, ground) for c in thin for ground in (LIGHT, NIGHT)) >= 3


def test_the_twenty_first_class_has_another_symbol():
    assert len(set(colours.class_looks(120))) == 120


def test_points_are_coloured_by_what_is_asked():
    _, labels = cloud()
    wrong, seen = np.arange(len(labels)) < 30, np.arange(len(labels)) % 7 == 0
    predicted = np.where(wrong, (labels + 1) % 10, labels)
    frame = Frame({"labels": labels, "seen": seen}, np.zeros((len(labels), 2), np.float32), predicted)
    its = colour_points(frame, NAMES, "class")
    assert (its.categories == labels).all() and its.names == NAMES and its.looks == colours.class_looks(10)
    assert (colour_points(frame, NAMES, "prediction").categories == predicted).all()
    for kind, strong, grey in (("error", wrong, "right"), ("seen", seen, "label not seen")):
        its = colour_points(frame, NAMES, kind)
        assert (its.categories == np.where(strong, labels, 10)).all() and its.names == [*NAMES, grey]
        assert len(its.looks) == 11 and its.looks[10][0] not in colours.CLASS_COLOURS
    for kind, words in (("component", "no prior"), ("cluster", "by cluster needs")):
        with pytest.raises(ValueError, match=words):
            colour_points(frame, NAMES, kind)


def test_components_are_coloured_greyer_where_they_share():
    latents = np.stack([np.linspace(2, 4, 60), np.zeros(60)], axis=1).astype(np.float32)
    prior = {"component_means": np.arange(7)[:, None] * np.array([1.0, 0]), "component_log_vars": np.full((7, 2), -3.0)}
    rows = {"labels": np.zeros(60, int)}
    frame = Frame(rows, latents, rows["labels"], **prior, component_weights=np.full(7, 1 / 7))
    its = colour_points(frame, NAMES, "component")
    assert (its.categories == latents[:, 0].round()).all() and its.names[2:] == [f"component {k}" for k in (3, 4, 5)]
    assert its.strength.max() > 0.99 and its.strength[[15, 44]] == pytest.approx(0.5, abs=0.05)
    assert its.strength[30] > its.strength[20] > its.strength[16] and len(its.looks) == len(its.names) == 5


def test_a_small_map_shows_classes_in_their_places_and_colours():
    points = np.array([[0.0, 0.0], [1.0, 1.0]]).repeat(50, axis=0)
    picture = Image.open(io.BytesIO(pictures.map_image(points, np.repeat([0, 1], 50), size=64)))
    pixels = np.asarray(picture)
    assert picture.size == (64, 64) and picture.mode == "RGBA"
    low_left, up_right = pixels[48:, :16], pixels[:16, 48:]
    for corner, colour in ((low_left, colours.class_colour(0)), (up_right, colours.class_colour(1))):
        solid = corner[corner[..., 3] == 255]
        assert len(solid) and all("#{:02x}{:02x}{:02x}".format(*p[:3]) == colour for p in solid)
    assert not pixels[:16, :16, 3].any()


@pytest.mark.parametrize(
    "points", [np.zeros((0, 2)), np.full((5, 2), np.nan), np.ones((9, 2)), np.arange(9.0)[:, None]]
)
def test_a_small_map_bears_odd_points(points):
    assert pictures.map_image(points, np.zeros(len(points), int), size=32).startswith(b"\x89PNG")


def shares(epoch, step=0, **terms):
    """A tick of terms given as (weight, term); without the term, it was not computed."""
    return Tick(
        epoch,
        step,
        terms={name: both[1] for name, both in terms.items() if len(both) == 2},
        weights={name: both[0] for name, both in terms.items()},
    )


def test_loss_terms_times_their_weights_are_stacked_by_epoch_with_gaps():
    ticks = [
        Tick(0, scores={"knn_accuracy": 0.1}),
        shares(0, 2, metric=(0.9, 9.0), reconstruction=(0.02, 300.0)),  # on the way: the epoch's end says it all
        shares(1, metric=(0.98, 0.5), reconstruction=(0.02, 100.0)),
        shares(2, metric=(0.0,), reconstruction=(0.02, 90.0)),
        shares(2, 1, metric=(0.98, 0.2), reconstruction=(0.02, 85.0)),
    ]
    chart = curves.loss_curves(ticks)
    metric, reconstruction = chart.series
    assert list(metric.x) == [1, 2, 3] and {metric.kind, reconstruction.kind} == {"bar"}
    assert metric.y == pytest.approx([0.49, None, 0.196]) and metric.words[1] == ""
    assert reconstruction.y == pytest.approx([2.0, 1.8, 1.7]) and reconstruction.words[0] == "2 = 0.02 × 100"
    assert reconstruction.more == {"weight": [0.02] * 3, "term": [100, 90, 85]} and metric.more["term"][1] is None
    assert chart.y.low == 0 and 2.49 < chart.y.high < 2.7, "what is stacked fits"
    assert chart.words.endswith("newest steps of epoch 3: 0.98 × metric 0.2 + 0.02 × reconstruction 85 = 1.9.")
    assert "epoch 2: 0.02 × reconstruction 90 = 1.8." in curves.loss_words(ticks[:-1])
    plain_chart(chart)


def test_a_negative_term_hangs_below_zero_and_the_sum_is_drawn():
    chart = curves.loss_curves([shares(e, kl=(0.2, -3.0), metric=(0.8, 1.0)) for e in (1, 2)])
    kl, metric, total = chart.series
    assert list(kl.y) == pytest.approx([-0.6] * 2) and list(metric.y) == pytest.approx([0.8] * 2)
    assert total.name == "sum" and total.kind == "line" and list(total.y) == pytest.approx([0.2] * 2)
    assert chart.y.low < -0.6 and chart.y.high > 0.8


def test_of_many_epochs_odd_and_even_ones_are_drawn():
    by_epoch = [shares(e, metric=(0.5, 1.0) if e % 2 else (0.0,), kl=(0.5, 1.0)) for e in range(1, 1001)]
    metric = next(term for term in curves.loss_curves(by_epoch).series if term.name == "metric")
    assert len(metric.x) <= curves.MOST_BARS and metric.x[-1] == 1000
    assert 0.4 < np.mean([y is None for y in metric.y]) < 0.6


def test_score_curves_show_scores_floors_and_titles():
    ticks = [
        Tick(0, scores={"knn_accuracy": 0.1, "knn_ami": None}),
        Tick(1, scores={"knn_accuracy": 0.9, "knn_ami": 0.8}),
    ]
    floors = {"chance": 0.1, "pixel_knn_accuracy": 0.85}
    chart = curves.score_curves(ticks, floors)
    assert [curve.name for curve in chart.series] == ["kNN, all labels", "kNN AMI, all labels"]
    assert chart.series[1].y == [None, 0.8] and chart.series[1].words == ["", "0.800"]
    pixels, chance = chart.levels
    assert (pixels.at, pixels.dash, pixels.colour) == (0.85, "dash", chart.series[0].colour)
    assert (chance.at, chance.dash, chance.colour) == (0.1, "dot", chart_data.INK)
    assert chart.y.low == 0
    plain_chart(chart)


def test_no_record_is_an_empty_chart():
    assert curves.loss_words([]) == ""
    for chart in (curves.loss_curves([]), curves.score_curves([])):
        assert not chart.series and chart.x.low < chart.x.high and chart.y.low < chart.y.high


@pytest.mark.parametrize(
    ("newest", "last", "end"),
    [(0, 30, 30), (7, 30, 30), (30, 30, 30), (3, 2000, 50), (51, 2000, 100), (101, 2000, 200), (1500, 2000, 2000),
     (2000, 2000, 2000), (7, None, 7), (0, None, 1), (60, 55, 60)],
)  # fmt: skip
def test_an_axis_of_epochs_does_not_grow_with_each(newest, last, end):
    assert chart_data.axis_end(newest, last) == end


def test_an_axis_is_whole_from_the_first_epoch_of_a_short_training():
    ends = set()
    for newest in range(1, 31):
        ticks = [shares(e, metric=(1.0, 1.0)) for e in range(1, newest + 1)]
        ends.add((curves.loss_curves(ticks, 30).x.high, curves.score_curves(ticks, epochs=30).x.high))
    assert ends == {(30.6, 30.0)}


def test_what_a_chart_says_has_a_word_for_each_value():
    with pytest.raises(ValueError, match="as many values and words"):
        chart_data.Series("short", "#000000", [0, 1], [0.5, 0.6], ["0.5"])
    with pytest.raises(ValueError, match="as many values and words"):
        chart_data.Series("half a band", "#000000", [0, 1], [0.5, 0.6], ["0.5", "0.6"], "mean", sds=[0.1])


def test_confusion_shows_shares_of_the_true_class():
    figure = counts.confusion_figure(np.array([[9, 1], [0, 0]]), ["cat", "dog"])
    assert np.allclose(figure.data[0].z, np.sqrt([[0.9, 0.1], [0, 0]]))
    assert "cat read as dog: 1 (10.0%)" in figure.data[0].hovertext[0]
    assert figure.layout.yaxis.autorange == "reversed"
    plain(figure)


def test_classes_of_one_name_stay_apart():
    figure = counts.confusion_figure(np.eye(3, dtype=int), ["a", "a", "b"])
    assert len(set(figure.data[0].x)) == 3


def test_class_counts_has_a_bar_a_class_and_split():
    figure = counts.class_counts(["a", "b"], {"training": [3, 4], "test": [1, 2]})
    assert [list(t.x) for t in figure.data] == [[3, 4], [1, 2]]
    assert list(figure.data[0].marker.color) == [colours.class_colour(0), colours.class_colour(1)]
    paler = [f"rgba{(*colours.rgb(colours.class_colour(label)), 0.5)}" for label in (0, 1)]
    assert list(figure.data[1].marker.color) == paler, "in the legend, too"


def test_a_strip_puts_rows_under_each_other():
    originals = np.full((3, 1, 4, 4), 255, np.uint8)
    picture = pictures.image_strip([originals, np.zeros((3, 3, 4, 4))], scale=2)
    assert picture.shape == (2 * 9, 2 * 14, 4) and picture.dtype == np.uint8
    assert (picture[:8, :8] == 255).all()
    assert not picture[8:10].any()  # a gap lets the page through
    assert (picture[10:, :8, :3] == 0).all() and (picture[10:, :8, 3] == 255).all()


def test_enlarging_repeats_pixels_and_keeps_colours():
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 5)).astype(np.uint8)
    picture = pictures.image_strip([image], scale=3)
    assert np.array_equal(picture[1::3, 1::3, :3], image[0].transpose(1, 2, 0))
    assert np.array_equal(pictures.image_strip([image / 255.0], scale=1), pictures.image_strip([image], scale=1))


def test_a_lattice_reads_from_the_upper_left():
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * 40
    assert pictures.lattice_image(grid, scale=1)[..., 0].tolist() == [[0, 40, 80], [120, 160, 200]]


def test_a_sheet_holds_every_image():
    images = np.arange(1, 8, dtype=np.uint8).reshape(7, 1, 1, 1)
    sheet = pictures.image_sheet(images, columns=3, scale=1)
    assert sorted(sheet[sheet[..., 3] > 0][:, 0]) == list(range(1, 8))


@pytest.mark.parametrize("bad", [[], [np.zeros((0, 1, 2, 2))], [np.zeros((2, 2, 2))]])
def test_pictures_of_nothing_are_refused(bad):
    with pytest.raises(ValueError, match=r"no image|must be"):
        pictures.image_strip(bad)


def test_an_image_grid_names_its_rows():
    figure = counts.image_grid([np.zeros((4, 1, 8, 8)), np.zeros((2, 1, 8, 8))], ["cat", "dog"])
    assert list(figure.layout.yaxis.ticktext) == ["cat", "dog"]
    assert list(figure.layout.yaxis.tickvals) == [3.5, 12.5]  # the middle of rows of 8 pixels, one apart
    plain(figure)


def test_curves_of_several_runs_lie_over_each_other():
    def its(values):
        return [Record(epoch=k, step=0, steps=9, seconds=k, scores={"knn_accuracy": v}) for k, v in enumerate(values)]

    chart = curves.compared_curves({"A": its([0.1, 0.5]), "B": its([0.2, None, 0.9])}, "knn_accuracy", "kNN")
    assert [curve.name for curve in chart.series] == ["A", "B"] and chart.title == "kNN"
    assert chart.series[0].y == [0.1, 0.5] and chart.series[1].y == [0.2, 0.9] and chart.series[1].x == [0, 2]
    assert chart.y.low < 0.1 and chart.y.high > 0.9
    plain_chart(chart)


# ---- clusters


def test_points_are_coloured_by_their_clusters():
    own = np.array([0, 31, 5, 5])
    frame = Frame({"labels": np.zeros(4, int)}, np.zeros((4, 2)), np.zeros(4, int), clusters=own)
    its = colour_points(frame, NAMES, "cluster")
    assert (its.categories == own).all() and len(its.names) == len(its.looks) == 32
    assert [its.names[k] for k in own] == ["cluster 1", "cluster 32", "cluster 6", "cluster 6"]
    assert len(set(its.looks)) == 32, "each can be told from the others"


def test_entropies_are_drawn_with_the_best_that_each_can_reach():
    ticks = [Tick(e, scores={"marginal_entropy": 0.5 + e, "conditional_entropy": 2 - e}) for e in range(3)]
    chart = curves.entropy_curves([*ticks, Tick(3)], np.log(10))  # the last has no score
    together, single = chart.series
    assert together.y == [0.5, 1.5, 2.5] and single.y == [2, 1, 0] and together.x == [0, 1, 2]
    assert [(level.name, round(level.at, 3)) for level in chart.levels] == [("ln K = 2.30", 2.303), ("sure: 0", 0)]
    assert chart.y.low < 0 and np.log(10) < chart.y.high
    plain_chart(chart)


def test_what_labels_are_worth_is_drawn_on_a_logarithmic_axis_with_the_level_without():
    chart = curves.worth_curve([20, 200, 2000], [0.5, 0.8, 0.9], 0.85, "recall at 1")
    (line,) = chart.series
    assert (line.x, line.y) == ([20, 200, 2000], [0.5, 0.8, 0.9]) and chart.x.log
    assert 0 < chart.x.low < 20 and chart.x.high > 2000 and chart.y.title == "recall at 1"
    assert [(level.name, level.at) for level in chart.levels] == [("without labels: 0.850", 0.85)]
    plain_chart(chart)


def test_retrieval_has_curves_of_its_own():
    ticks = [Tick(e, scores={"recall_at_1": 0.1 * e, "kmeans_nmi": 0.2, "knn_accuracy": 0.5}) for e in range(3)]
    assert [line.y for line in curves.score_curves(ticks, place="retrieval").series] == [[0, 0.1, 0.2], [0.2, 0.2, 0.2]]


def test_a_chart_is_told_in_words():
    """What somebody hears who sees no chart: axes, where each line begins and ends, each bar, each cell but zeros."""
    bars = counts.class_counts(["cat", "dog"], {"training": [3, 1200], "test": [1, 2]})
    assert style.chart_words(bars) == "Chart. training: cat 3, dog 1200. test (paler): cat 1, dog 2."
    cells = style.chart_words(counts.confusion_figure(np.array([[3, 1], [0, 2]]), ["cat", "dog"]))
    assert cells.startswith("Chart: true by predicted. cat read as cat: 3 (75.0%); cat read as dog: 1 (25.0%)")
    assert "dog read as cat" not in cells
    grid = counts.image_grid([np.zeros((2, 1, 4, 4), np.uint8)], ["cat"])
    assert style.chart_words(grid) == "Chart. A row of images for each of: cat."
    many = counts.class_counts([f"{n}" for n in range(60)], {"all": [1] * 60})
    assert style.chart_words(many).endswith("39 1, ….")
