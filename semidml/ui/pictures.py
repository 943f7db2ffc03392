"""Charts, tables and images on a page."""

import base64
import html
import io
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st
from PIL import Image

from semidml.explore import points
from semidml.frames import Frame, Record
from semidml.plots.chart import Chart
from semidml.plots.counts import class_counts
from semidml.plots.curves import loss_curves
from semidml.plots.pictures import image_strip
from semidml.plots.style import chart_words
from semidml.runs.run import Run
from semidml.scatter import bundle
from semidml.ui import cache
from semidml.ui.frame import is_warm
from semidml.ui.shared import Shared
from semidml.ui.words import escape_markdown

PICTURE = 136  # pixels across, of an image that is looked at
CAPTION = "font-size: 0.875rem; text-align: center; opacity: 0.65; overflow-wrap: anywhere"
SQUARES = "image-rendering: pixelated; display: block"  # the look of a picture whose pixels are to be seen
MOST_RECORDS = 200  # of a curve


def thinned_history(history: Sequence[Record]) -> list[Record]:
    """The records that a curve draws of a long training: every second, third, ..., and the newest."""
    every = max(1, -(-len(history) // MOST_RECORDS))
    return [*history[:-1:every], *history[-1:]]


figures = Shared(32_000_000)  # bytes of their JSON
PLOTLY = {"displaylogo": False, "displayModeBar": False, "scrollZoom": False}


def draw_chart(key: str, state: Hashable, draw: Callable[[bool | None], Any]) -> None:
    """The Plotly figure that `draw` gives for a dark theme or not, in the page's own font. It is drawn once of the same
    theme and `state`, whoever looks at it, so that `state` must hold all that it shows; the browser leaves a figure
    alone that is the same, and makes another one anew: what changes while a run goes on is drawn by `draw_curves`."""
    import pandas  # noqa: F401 (whole: Plotly, when another thread has begun to import it, fails on the missing half)

    dark = is_dark()

    def drawn() -> Any:
        return draw(dark).update_layout(font_family='"Source Sans", "Source Sans Pro", sans-serif')

    figure = figures.get((key, state, dark), drawn, size=lambda figure: len(figure.to_json()))
    st.html(f'<p class="unseen">{html.escape(chart_words(figure))}</p>')  # which screen readers read
    st.plotly_chart(figure, key=f"chart {key}", config=PLOTLY, theme=None)


def draw_curves(key: str, chart: Chart) -> None:
    """Curves that change in place: of the same key they are one element of the page, whatever they show."""
    draw = st.components.v2.component(
        bundle.CURVES, html=bundle.CURVES_HTML, css=bundle.css("curves"), js=bundle.javascript("curves")
    )
    draw(data=chart.sent(), key=f"curves {key}")


def draw_scores(key: str, history: Sequence[Record], chart: Chart) -> None:
    """As `draw_curves`, of live scores; of trainings that nobody watched, which have none, that is said instead."""
    if not history or any(record.scores for record in history):
        draw_curves(key, chart)
    else:
        st.info("Nobody watched this training: no epoch of it was scored but the last.", icon=":material/show_chart:")


def draw_losses(history: Sequence[Record], epochs: int | None = None) -> None:
    """The terms of a loss by epoch, and the newest in words; epochs: of the whole training."""
    draw_curves("loss", loss_curves(history, epochs))


def draw_counts(key: str, names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> None:
    """How many images of each class there are; see `plots.counts.class_counts`."""
    titles, state = points.in_charts(names), (*names, *((split, *numbers) for split, numbers in counts.items()))
    draw_chart(key, state, lambda dark: class_counts(titles, counts, dark))


def say_missing(run: Run) -> str:
    """Why the pictures of a run cannot be shown, which the page then says; "" when they can."""
    if missing := cache.missing_images(run):
        st.info(missing, icon=":material/hide_image:")
    return missing


def draw_reconstructions(run: Run, frame: Frame) -> None:
    """Test images over what a run's decoder makes of them after an epoch; nothing for a run without a decoder."""
    if frame.reconstructions is None:
        return
    if not is_warm():
        st.caption(cache.COLD)
        return
    try:
        shown_images = cache.shown_images(run)
    except ValueError as error:
        st.caption(f"The originals cannot be shown: {escape_markdown(str(error))}")
        return
    draw_pixels(image_strip([shown_images, frame.reconstructions], scale=1), "test images over their reconstructions")
    st.caption("Test images over their reconstructions")


def draw_table(rows: Sequence[Mapping[str, str]]) -> None:
    """A small table of words, the keys of the first row above it; drawn at once, unlike a data frame's grid."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    st.markdown(
        "\n".join(
            "| " + " | ".join(escape_markdown(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
        )
    )


def draw_pixels(picture: Any, words: str) -> None:
    """A small picture, uint8 (height, width, 4), as wide as there is room, each pixel a square; it leaves no file."""
    st.html(pixels_html(picture, words))


def pixels_html(picture: Any, words: str) -> str:
    """The HTML of `draw_pixels`."""
    return f'<img src="{_source(picture)}" alt="{words}" style="width: 100%; {SQUARES}">'


def draw_pictures(images: Iterable[Any], captions: Iterable[str], width: int) -> None:
    """Images uint8 (C, H, W) side by side, `width` pixels each, in a row that breaks where the page is narrow, with
    captions, which are shown as text whatever they hold. They are one element of the page and no files: a click waits
    for them."""
    st.html(pictures_html(images, captions, width))


def pictures_html(images: Iterable[Any], captions: Iterable[str], width: int) -> str:
    """The HTML of `draw_pictures`."""
    shown = []
    for image, caption in zip(images, captions, strict=True):
        source = image_source(image)
        words, style = html.escape(caption), SQUARES if image.shape[2] <= width else "display: block"
        picture = f'<img src="{source}" alt="{words}" style="width: 100%; {style}">'
        under = f'<figcaption style="{CAPTION}">{words}</figcaption>'
        shown.append(f'<figure style="margin: 0; width: {width}px">{picture}{under}</figure>')
    return f'<div style="display: flex; flex-wrap: wrap; gap: 0.5rem">{"".join(shown)}</div>'


def image_source(image: Any) -> str:
    """An image, uint8 (C, H, W), C 1 or 3, as an address that holds it."""
    return _source(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def _source(picture: Any) -> str:
    """An image, uint8 (height, width) or (height, width, 3 or 4), as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def is_dark() -> bool | None:
    """Whether the visitor's theme is dark; None before the browser has said so."""
    return {"dark": True, "light": False}.get(st.context.theme.type or "")
