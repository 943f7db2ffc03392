"""Maps and curves as files: what the page shows, at the size that was asked for, with fonts within."""

import io
import re
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from semidml.explore import points
from semidml.figures import canvas, curves, maps, shown
from semidml.plots.colours import class_colour, rgb
from semidml.runs import listing

SVG = "{http://www.w3.org/2000/svg}"


def drawn(run, kind, size="slide", **how):
    return canvas.as_bytes(maps.map_figure(shown.show_run(run, **how), size), kind)


def texts(svg):
    return ["".join(node.itertext()) for node in xml.fromstring(svg).iter(f"{SVG}text")]


def test_an_svg_holds_every_point_its_legend_its_words_and_its_fonts(places):
    svg = drawn(places, "svg").decode()
    words = texts(svg)
    assert {*"0123456789", "z1", "z2", "95.4 %"} <= set(words)
    assert "Digits 8x8, all labels, DML with a prior, Gaussian mixture" in words
    assert any("epoch 30 of 30 · 1,797 training and test rows, coloured by class" in line for line in words)
    assert svg.count("<use ") >= 1797
    assert all(class_colour(number) in svg for number in range(10))
    fonts = re.findall(r"font-family: '(.*?)'; font-weight: (\w+); src: url\(data:font/woff;base64,", svg)
    assert fonts == [("DejaVu Sans", "normal"), ("DejaVu Sans", "bold")]
    assert "http" not in re.sub(r'(xmlns\S*|resource|rdf:\S+)="[^"]*"|<!DOCTYPE[^>]*>', "", svg)  # loads nothing


def test_the_points_lie_where_the_latents_are(places):
    frame, figure = places.frame(30), maps.map_figure(shown.show_run(places))
    placed = np.concatenate(
        [points.get_offsets() for points in figure.axes[0].collections if len(points.get_offsets()) > 1]
    )
    assert np.allclose(np.sort(placed, axis=0), np.sort(frame.latents, axis=0))
    box = figure.axes[0].get_window_extent()
    (left, right), (low, high) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert (right - left) / box.width == pytest.approx((high - low) / box.height)  # a unit is as long across as up


def test_components_and_regions_are_drawn(places):
    seen = shown.show_run(places)
    assert len(seen.drawn.ellipses) == 10 and seen.drawn.density is not None
    without = shown.show_run(places, density=False)
    assert len(drawn(places, "svg")) > len(canvas.as_bytes(maps.map_figure(without), "svg"))
    assert "Shades hold 50% and 90% of the prior." in seen.note and "Shades" not in without.note


def test_a_slide_and_a_column_have_their_sizes(places):
    assert Image.open(io.BytesIO(drawn(places, "png"))).size == (1920, 1080)
    column = Image.open(io.BytesIO(drawn(places, "png", "column")))
    assert column.width == int(85 / 25.4 * 600) and column.height > column.width
    width = xml.fromstring(drawn(places, "svg", "column")).get("width")
    assert float(width.removesuffix("pt")) == pytest.approx(85 / 25.4 * 72, abs=0.1)


def test_a_pdf_has_its_fonts_and_the_points_are_coloured_in_a_png(places):
    pdf = drawn(places, "pdf")
    assert pdf.startswith(b"%PDF") and pdf.count(b"/FontFile2") >= 2 and b"/Subtype /Type3" not in pdf
    picture = np.array(Image.open(io.BytesIO(drawn(places, "png"))).convert("RGB")).reshape(-1, 3).astype(int)
    for number in range(10):  # the marks of the legend are opaque
        assert (np.abs(picture - rgb(class_colour(number))).max(axis=1) <= 2).sum() > 20


@pytest.mark.parametrize("colour", ["class", "prediction", "seen", "error", "component"])
def test_every_colour_of_the_page(places, colour):
    seen = shown.show_run(places, colour=colour, part="test")
    assert shown.COLOURED[colour] in seen.words and "500 test rows" in seen.words
    assert f"coloured by {shown.COLOURED[colour]}" in " ".join(texts(drawn(places, "svg", colour=colour)))


def test_an_earlier_epoch_has_its_own_scores(places):
    early, record = shown.show_run(places, epoch=7), places.history()[7]
    assert "epoch 7 of 30" in early.words and early.scores_of == "drawn test images"
    assert ("kNN, all labels", f"{100 * record.scores['knn_accuracy']:.1f} %") in early.scores
    with pytest.raises(ValueError, match="no points of epoch 8, but of 0, 2, 7, 13"):
        shown.show_run(places, epoch=8)


def test_ten_dimensions_are_drawn_by_the_plane_of_the_page(deep):
    assert "PCA of 10 dimensions" in shown.show_run(deep).words
    with pytest.raises(ValueError, match="UMAP of epoch 5 of digits-dml-ae-10-d has not been computed yet"):
        shown.show_run(deep, plane="umap")
    placed = np.random.default_rng(0).normal(size=(1797, 2)).astype(np.float32)
    seen = shown.show_run(deep, plane="umap", placed=placed)
    assert (seen.across, seen.up) == ("UMAP 1", "UMAP 2") and seen.drawn.points is placed


def test_a_plane_that_was_kept_is_drawn(made):
    run = made(60, 3)
    points.compute_plane(
        run, 1, "tsne", run.frame(1).latents, lambda share, words: None, flat=lambda z, *_, **__: z[:, :2]
    )
    assert np.array_equal(shown.show_run(run, plane="tsne").drawn.points, run.frame(1).latents[:, :2])


def test_one_dimension_is_a_strip_a_class(made):
    run = made(dimensions=1)
    seen = shown.show_run(run)
    assert "a strip a class" in seen.words and not seen.equal
    assert canvas.as_bytes(maps.map_figure(seen, "column"), "pdf").startswith(b"%PDF")


def test_seventy_thousand_points_make_no_huge_file(made):
    run = made(70_000)
    svg = drawn(run, "svg")
    assert len(svg) < 3_000_000 and b"data:image/png" in svg  # points as a picture
    assert "a" in texts(svg) and any("70,000 training and test rows" in line for line in texts(svg))


def test_names_of_a_stranger_are_words(made):
    names = ("$x^{$", "_hidden", "<script>alert(1)</script>", "a\x00b\u202ec", "n" * 400, "$\\frac{1}$")
    run = made(names=names)
    svg = drawn(run, "svg")
    words = texts(svg)
    assert {"$x^{$", "_hidden", "<script>alert(1)</script>", "a\ufffdb\ufffdc", f"{'n' * 27}…", "$\\frac{1}$"} <= set(
        words
    )
    assert b"<script" not in svg
    assert drawn(run, "pdf", "column").startswith(b"%PDF")


def test_a_run_without_points_is_refused_in_words(made):
    run = made(epochs=0)
    with pytest.raises(ValueError, match="has stored no points: there is nothing to draw"):
        shown.show_run(run)
    with pytest.raises(ValueError, match="no curves yet"):
        curves.curves_figure(run)


def test_what_does_not_exist_is_refused_in_words(places, deep):
    with pytest.raises(ValueError, match="format must be one of svg, pdf, png"):
        drawn(places, "jpg")
    with pytest.raises(ValueError, match="a size must be one of slide, column"):
        drawn(places, "png", "poster")
    with pytest.raises(ValueError, match="has no prior"):
        shown.show_run(deep, colour="component")
    with pytest.raises(ValueError, match=r"must end in one of \.svg, \.pdf, \.png; got 'map.jpg'"):
        canvas.kind_of("map.jpg", canvas.FORMATS)


def test_a_comparison_has_common_axes_and_tells_what_differs(places):
    runs = [listing.open_run("digits-paper-prior"), places]
    figure = maps.comparison_figure(shown.show_runs(runs))
    first, second = figure.axes
    assert first.get_xlim() == pytest.approx(second.get_xlim()) and first.get_ylim() == pytest.approx(second.get_ylim())
    words = " ".join(texts(canvas.as_bytes(figure, "svg")))
    assert "alpha 0.5, schedule epoch" in words and "alpha 0.2, schedule joint" in words and "batch size" not in words
    for count in (1, 5):
        with pytest.raises(ValueError, match=f"a comparison is of two to 4 runs; got {count}"):
            maps.comparison_figure([shown.show_run(places)] * count)


@pytest.mark.parametrize("size", canvas.SIZES)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_nothing_of_a_comparison_lies_outside_or_on_other_words(places, deep, size, count):
    runs = [listing.open_run("digits-paper-prior"), places, deep, listing.open_run("digits-dml-60-labels")][:count]
    assert_whole(maps.comparison_figure(shown.show_runs(runs), size))


@pytest.mark.parametrize("size", canvas.SIZES)
@pytest.mark.parametrize(
    "name", ["digits-ten-places", "digits-best-clusters", "digits-metric-vae", "digits-dml-ae-10-d"]
)
def test_nothing_of_a_figure_lies_outside_or_on_other_words(size, name):
    run = listing.open_run(name)
    assert_whole(maps.map_figure(shown.show_run(run), size))
    assert_whole(curves.curves_figure(run, size))


def assert_whole(figure):
    """All words of a figure lie within it, and not on one another."""
    figure.canvas.draw()
    whole, boxes = figure.bbox, []
    placed = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for text in placed:
        box = text.get_window_extent()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1, text.get_text()
        for other, words in boxes:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            up = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or up <= 0.3 * min(box.height, other.height), (text.get_text(), words)
        boxes.append((box, text.get_text()))
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x1 <= whole.x1 + 1 and box.y0 >= whole.y0 - 1 and box.x0 >= whole.x0 - 1


def test_curves_stack_the_loss_and_end_in_names(places):
    figure = curves.curves_figure(places)
    last = places.history()[-1]
    tops = [bar.get_y() + bar.get_height() for bar in figure.axes[0].patches]
    total = sum(last.weights[name] * term for name, term in last.terms.items())
    assert any(top == pytest.approx(total) for top in tops)
    words = texts(canvas.as_bytes(figure, "svg"))
    assert {"kNN, all labels", "k-means AMI", "metric", "kl", "weight × term"} <= set(words)


def test_threads_draw_at_once_and_alike(places, deep):
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda run: drawn(run, "svg", "column"), [places, deep] * 4))
    assert len(set(files)) == 2


def test_of_many_components_dots_are_drawn_and_the_pictures_that_have_room():
    run = listing.open_run("digits-metric-vae")
    seen, frame = shown.show_run(run), points.read_frame(run, run.frames()[-1])
    assert len(seen.drawn.ellipses) == 100 and seen.note.startswith("Dots: the 100 components")
    axes = maps.map_figure(replace(seen, drawn=replace(seen.drawn, pictures=frame.pictures))).axes[0]
    assert not [artist for artist in axes.collections if isinstance(artist, LineCollection)]
    assert 100 in [len(artist.get_offsets()) for artist in axes.collections if hasattr(artist, "get_offsets")]
    boxes = np.array([axes.transData.transform(artist.xy) for artist in axes.artists])
    apart = np.abs(boxes[:, None] - boxes[None]).max(-1) + 1e9 * np.eye(len(boxes))
    assert 5 <= len(boxes) < len(frame.pictures) and apart.min() > 20
