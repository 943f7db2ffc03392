"""Numbers in, figures out: Plotly figures and small pictures, with one colour a class everywhere.

`dark` says which background a figure will lie on; None (the page's theme is not known) takes ink that is legible on
both. Paper is transparent. Pictures are uint8 (height, width, 4) with transparent gaps, or PNG bytes."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from semidml.score_table import PIXELS, SCORES, shown_at

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# The first ten were searched for (sRGB in steps of 17, farthest points with swaps): the smallest distance of two in
# OKLab is 0.108 over normal, protan, deutan and tritan vision (Machado et al. 2009), against 0.061 for Petroff's ten
# (arXiv 2107.02270) and 0.007 for Plotly's own. The next ten are the farthest from those before them, 0.062. Contrast
# at least 1.5 to white, 2.4 to near black.
CLASS_COLOURS = (
    *("#3377cc", "#ffcc00", "#aa2200", "#22ddff", "#883388", "#ff8888", "#aa9900", "#9999ff", "#ee3388", "#5511ee"),
    *("#00bb66", "#bb6622", "#bb44ff", "#99dd88", "#cc0055", "#00ccbb", "#cc77bb", "#006622", "#bbbb00", "#7722bb"),
)
SYMBOLS = (
    "circle",
    "diamond",
    "square",
    "triangle-up",
    "cross",
    "x",
)  # class 20 has the colour of class 0 and another symbol
LINE_COLOURS = ("#3377cc", "#d55e00", "#009473", "#b0559a", "#8c7500")  # thin lines: at least 3 to either background
INK = {True: ("#e4e9f0", "#2d3744"), False: ("#1c2430", "#dfe4ea"), None: ("#7b8494", "rgba(123,132,148,0.28)")}
RING = {True: "#ffffff", False: "#10151c", None: "#10151c"}  # around points that stand out
FONT = "'Source Sans', 'Source Sans Pro', system-ui, sans-serif"  # Streamlit's own
FAINT = "#b4bac4"  # points that are not the matter
MOST_BARS = 200

Kind = Literal["class", "prediction", "seen", "error", "component", "cluster"]


def class_colour(number: int) -> str:
    """The colour of a class, as #rrggbb; the twenty-first starts anew."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def class_symbol(number: int) -> str:
    """The marker symbol of a class: the next one for each twenty classes."""
    return SYMBOLS[number // len(CLASS_COLOURS) % len(SYMBOLS)]


def class_looks(count: int) -> list[tuple[str, str]]:
    """(colour, symbol) of the first classes."""
    return [(class_colour(number), class_symbol(number)) for number in range(count)]


# --- maps


class Colouring(NamedTuple):
    """What the points of a map have their colours by: n points of K categories."""

    categories: np.ndarray  # int (n,)
    names: list[str]  # (K,)
    looks: list[tuple[str, str]]  # (K,): colour, symbol
    strength: np.ndarray | None = None  # (n,) 0 (grey) to 1


def colouring(
    kind: Kind,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    seen: np.ndarray | None = None,
    predictions: np.ndarray | None = None,
    components: tuple[np.ndarray, np.ndarray] | None = None,
    clusters: np.ndarray | None = None,
) -> Colouring:
    """Points by their label ("class") or their prediction; by their label where that was seen ("seen") or where it was
    predicted wrongly ("error"), grey otherwise; or by the "component" of the prior that is most responsible, of
    `components`: each point's (n,) and how responsible it is (n,), the less, the greyer; or by its "cluster". Raises
    ValueError when what the kind needs is not given."""
    if kind == "component":
        if components is None:
            raise ValueError("a map by component needs components")
        its, responsible = components
        count = int(its.max(initial=0)) + 1
        return Colouring(its, component_names(count), class_looks(count), responsible)
    if kind == "cluster":
        if clusters is None:
            raise ValueError("a map by cluster needs clusters")
        count = int(clusters.max(initial=0)) + 1
        return Colouring(clusters, [f"cluster {number}" for number in range(1, count + 1)], class_looks(count))
    if kind == "prediction":
        if predictions is None:
            raise ValueError("a map by prediction needs predictions")
        return Colouring(predictions, list(names), class_looks(len(names)))
    if kind == "class":
        return Colouring(labels, list(names), class_looks(len(names)))
    strong = seen if kind == "seen" else None if predictions is None else labels != predictions
    if strong is None:
        raise ValueError(f"a map by {kind} needs {'seen' if kind == 'seen' else 'predictions'}")
    grey = {"seen": "label not seen", "error": "right"}[kind]
    looks = [*class_looks(len(names)), (FAINT, "circle")]
    return Colouring(np.where(strong, labels, len(names)), [*names, grey], looks)


def component_names(count: int) -> list[str]:
    """Names of a prior's components, counted from 1."""
    return [f"component {number}" for number in range(1, count + 1)]


def map_image(points: np.ndarray, labels: np.ndarray, size: int = 160, radius: float = 1.4, most: int = 3_000) -> bytes:
    """Points (n, 2) as a small PNG of size x size pixels on a transparent ground, one colour a class, equal scales.

    Drawn four times as large and averaged. The outermost quarter per cent at each side falls on the edge. (n, 1) is
    drawn as a strip a class. About 40 ms for 3,000 points at 160 pixels (two busy cores, November 2026)."""
    from PIL import Image

    if points.shape[1] == 1:
        points = np.stack([points[:, 0], np.random.default_rng(0).uniform(-1, 1, len(points))], axis=1)
        equal = False
    else:
        equal = True
    rows = _drawn(points, np.zeros(len(points), bool), most)
    fine, margin = 4, 2 * radius
    side = size * fine
    canvas = np.full(side * side, len(CLASS_COLOURS), np.intp)  # the class on top, or none
    if len(rows):
        low, high = np.percentile(points[rows], [0.25, 99.75], axis=0)
        extent = np.maximum(high - low, 1e-9)
        extent = np.full(2, extent.max()) if equal else extent
        place = ((points[rows] - (low + high) / 2) / extent + 0.5).clip(0, 1)
        x, y = ((margin + place * (size - 2 * margin)) * fine).astype(np.intp).T
        reach = math.ceil(radius * fine)
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = dx**2 + dy**2 <= (radius * fine) ** 2
        down, across = side - 1 - y[:, None] - dy[disc], x[:, None] + dx[disc]
        at = down.clip(0, side - 1) * side + across.clip(0, side - 1)
        canvas[at] = (labels[rows] % len(CLASS_COLOURS))[:, None]  # a later point lies on the ones before it
    colours = np.array([(*_rgb(colour), 255) for colour in CLASS_COLOURS] + [(0, 0, 0, 0)], np.uint8)
    parts = colours[canvas].reshape(size, fine, size, fine, 4).sum(axis=(1, 3), dtype=np.uint32)
    covered = parts[..., 3:] / 255  # 0 to 16 of a pixel's parts
    small = np.concatenate([parts[..., :3] / np.maximum(covered, 1), covered * 255 / fine**2], axis=2)
    out = io.BytesIO()
    Image.fromarray(small.round().astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def _drawn(points: np.ndarray, first: np.ndarray, most: int) -> np.ndarray:
    """Rows to draw, in order: the finite ones; of more than `most` all of `first` that fit and an even part of the
    others."""
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(rows) <= most:
        return rows
    kept = _evenly(rows[first[rows]], most)
    return np.sort(np.concatenate([kept, _evenly(rows[~first[rows]], most - len(kept))]))


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


# --- curves


def loss_curves(records: Sequence[Any], dark: bool | None = None, height: int = 280) -> "Figure":
    """Each loss term times its weight, stacked: a bar for each finished epoch and one for what there is of the next, of
    records (`semidml.record.Record`).

    What is negative hangs below zero, and then a line shows the sum. A term that an epoch did not compute has no part
    in its bar; the hover takes each part into weight and term. Of more than 200 epochs every third, fifth, ... is
    drawn: an odd step, so that a schedule of odd and even epochs shows both."""
    import plotly.graph_objects as go

    drawn = _epoch_by_epoch(records)
    step = -(-len(drawn) // MOST_BARS) // 2 * 2 + 1 if len(drawn) > MOST_BARS else 1
    drawn = drawn[(len(drawn) - 1) % step :: step]  # the last is among them
    x = [record.epoch if record.step == 0 else record.epoch + 1 for record in drawn]
    figure = go.Figure()
    for i, name in enumerate(sorted({name for record in drawn for name in record.terms})):
        share = [_share(record, name) for record in drawn]
        words = [
            "" if s is None else f"{record.weights.get(name, 1.0):.3g} × {record.terms[name]:.4g}"
            for record, s in zip(drawn, share, strict=True)
        ]
        look = {"color": LINE_COLOURS[i % len(LINE_COLOURS)], "line": {"width": 0}}
        bar = {"x": x, "y": share, "name": name, "width": step * (0.86 if len(x) < 60 else 1.0)}
        figure.add_trace(go.Bar(**bar, marker=look, hovertext=words, hovertemplate="%{y:.4g} = %{hovertext}"))
    if any((_share(record, name) or 0) < 0 for record in drawn for name in record.terms):
        total = [sum(_share(record, name) or 0 for name in record.terms) for record in drawn]
        line = {"color": INK[dark][0], "width": 2}
        figure.add_scatter(x=x, y=total, mode="lines", line=line, name="sum", hovertemplate="%{y:.4g}")
    figure.update_layout(**_layout(dark, height, "loss"), hovermode="x unified", legend=_legend_above())
    figure.update_layout(barmode="relative", legend_traceorder="normal")
    figure.update_xaxes(**_axis(dark), title_text="epoch", range=(0.4, max(x) + 0.6) if x else None)
    figure.update_yaxes(**_axis(dark), title_text="weight × term", rangemode="tozero")
    return figure


def loss_words(records: Sequence[Any]) -> str:
    """The newest loss taken apart, in a sentence; "" before the first step."""
    drawn = _epoch_by_epoch(records)
    if not drawn:
        return ""
    last = drawn[-1]
    parts = [f"{last.weights.get(name, 1.0):.3g} × {name} {term:.3g}" for name, term in sorted(last.terms.items())]
    total = sum(_share(last, name) or 0 for name in last.terms)
    when = f"epoch {last.epoch}" if last.step == 0 else f"newest steps of epoch {last.epoch + 1}"
    return f"Each loss term times its weight, stacked; {when}: {' + '.join(parts) or 'no loss'} = {total:.3g}."


def _epoch_by_epoch(records: Sequence[Any]) -> list[Any]:
    """The records of finished epochs, and of an unfinished one the newest, which is of some steps only."""
    finished = [record for record in records if record.step == 0 and record.epoch > 0]
    return finished + [record for record in records[-1:] if record.step > 0]


def _share(record: Any, name: str) -> float | None:
    """A term's part of the loss; None where it was not computed or is not finite."""
    term = record.terms.get(name)
    return None if term is None or not math.isfinite(term) else record.weights.get(name, 1.0) * term


def score_curves(
    records: Sequence[Any],
    floors: Mapping[str, float] | None = None,
    dark: bool | None = None,
    height: int = 280,
    place: str = "curves",
) -> "Figure":
    """The live scores of a place (`score_table.PLACES`) over epochs, from 0 to 1, with what needs no training beside
    them: chance dotted, raw pixels dashed in the colour of the score that they belong to. floors: see
    `evaluate.floors`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    scored = [record for record in records if record.scores]
    x = [_epochs(record) for record in scored]
    for i, key in enumerate(shown_at(place)):
        if any(key in record.scores for record in scored):
            y = [record.scores.get(key) for record in scored]
            figure.add_trace(_line(x, y, SCORES[key].title, i, hovertemplate="%{y:.3f}"))
        if floors and (floor := floors.get(f"{PIXELS}{key}")) is not None:
            words = "pixels, seen" if SCORES[key].fitted_on == "seen" else "pixels"
            _level(figure, floor, words, LINE_COLOURS[i], "dash")
    if floors and floors.get("chance") is not None:
        _level(figure, floors["chance"], "chance", INK[dark][0], "dot")
    figure.update_layout(**_layout(dark, height, "scores"), hovermode="x unified", legend=_legend_above())
    figure.update_xaxes(**_axis(dark), title_text="epoch", rangemode="tozero")
    figure.update_yaxes(**_axis(dark), range=(0, 1.02))
    return figure


def entropy_curves(records: Sequence[Any], best: float, dark: bool | None = None, height: int = 280) -> "Figure":
    """The two entropies of clusters over epochs, in nats, with the best that each can reach: `best`, ln of the number
    of clusters, for all images together, 0 for one image."""
    import plotly.graph_objects as go

    figure = go.Figure()
    scored = [record for record in records if record.scores]
    x = [_epochs(record) for record in scored]
    levels = {"marginal_entropy": (best, f"ln K = {best:.2f}"), "conditional_entropy": (0.0, "sure: 0")}
    for i, (key, (level, words)) in enumerate(levels.items()):
        y = [record.scores.get(key) for record in scored]
        figure.add_trace(_line(x, y, SCORES[key].title, i, hovertemplate="%{y:.3f}"))
        _level(figure, level, words, LINE_COLOURS[i], "dash")
    figure.update_layout(**_layout(dark, height, "entropies"), hovermode="x unified", legend=_legend_above())
    figure.update_xaxes(**_axis(dark), title_text="epoch", rangemode="tozero")
    figure.update_yaxes(**_axis(dark), title_text="nats", range=(-0.06 * best, 1.12 * best))
    return figure


def worth_curve(
    counts: Sequence[int],
    scores: Sequence[float],
    level: float,
    title: str,
    dark: bool | None = None,
    height: int = 280,
) -> "Figure":
    """A score of training with labels over how many there are, on a logarithmic axis, and the level that was reached
    without any."""
    import plotly.graph_objects as go

    figure = go.Figure(_line(list(counts), list(scores), "with labels", 0, hovertemplate="%{x:,} labels: %{y:.3f}"))
    _level(figure, level, f"without labels: {level:.3f}", LINE_COLOURS[1], "dash")
    figure.update_layout(**_layout(dark, height, "worth"), showlegend=False)
    figure.update_xaxes(**_axis(dark), title_text="labels seen", type="log")
    figure.update_yaxes(**_axis(dark), title_text=title)
    return figure


def compared_curves(
    runs: Mapping[str, Sequence[Any]], score: str, title: str, dark: bool | None = None, height: int = 280
) -> "Figure":
    """One score of several runs by epoch, a line a run. runs: records by the run's name."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for position, (name, records) in enumerate(runs.items()):
        its = [record for record in records if record.scores.get(score) is not None]
        if its:
            x, y = [_epochs(record) for record in its], [record.scores[score] for record in its]
            figure.add_trace(_line(x, y, name, position, hovertemplate="%{y:.3f}"))
    figure.update_layout(**_layout(dark, height, score), hovermode="x unified", legend=_legend_above())
    figure.update_xaxes(**_axis(dark), title_text="epoch", rangemode="tozero")
    figure.update_yaxes(**_axis(dark), title_text=title)
    return figure


def _line(x: list[float], y: list[float | None], name: str, position: int, **more: Any) -> Any:
    import plotly.graph_objects as go

    colour = LINE_COLOURS[position % len(LINE_COLOURS)]
    look = {
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "size": 5},
    }  # a marker shows a lone point
    return go.Scatter(x=x, y=y, name=name, mode="lines+markers", connectgaps=False, **look, **more)


def _level(figure: "Figure", value: float, name: str, colour: str, dash: str) -> None:
    figure.add_hline(
        y=value, line={"color": colour, "width": 1.2, "dash": dash},
        annotation={"text": name, "font": {"color": colour, "size": 11}}, annotation_position="bottom right",
    )  # fmt: skip


def _epochs(record: Any) -> float:
    return record.epoch + record.step / record.steps if record.steps else float(record.epoch)


# --- priors


def profile_figure(its: Mapping[str, Any], dark: bool | None = None, height: int = 460) -> "Figure":
    """The density along the line through two neighbouring components, and each one's share of it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, part in enumerate(its["parts"]):
        line = {"color": LINE_COLOURS[i], "width": 1.5, "dash": "dash"}
        names = ("a component", "its neighbour")
        figure.add_trace(go.Scatter(x=its["along"], y=part, mode="lines", line=line, name=names[i]))
    whole = {"color": INK[dark][0], "width": 2.5}
    figure.add_trace(go.Scatter(x=its["along"], y=its["whole"], mode="lines", line=whole, name="the density"))
    figure.update_layout(**_layout(dark, height, "profile"), legend=_legend_above(), hovermode="x unified")
    figure.update_xaxes(**_axis(dark), title_text="latent units along the way")
    figure.update_yaxes(**_axis(dark), rangemode="tozero")
    return figure


# --- tables of numbers


def confusion_figure(
    matrix: np.ndarray, class_names: Sequence[str], dark: bool | None = None, height: int = 440
) -> "Figure":
    """Counts (K, K) of true (down) and predicted (across) classes, coloured by the share of the true class; the colour
    grows with the root of the share, so that rare mistakes show. Counts are written in up to 12 classes."""
    import plotly.graph_objects as go

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    words = [
        [
            f"{class_names[i]} read as {class_names[j]}: {matrix[i, j]:,} ({share[i, j]:.1%})"
            for j in range(len(class_names))
        ]
        for i in range(len(class_names))
    ]
    names = _distinct(class_names)
    written = [[f"{n}" if n else "" for n in row] for row in matrix]
    counts = {"text": written, "texttemplate": "%{text}"} if len(class_names) <= 12 else {}
    look = {"colorscale": "Cividis", "zmin": 0, "zmax": 1, "showscale": False, "xgap": 1, "ygap": 1}
    heat = go.Heatmap(z=np.sqrt(share), x=names, y=names, hovertext=words, hoverinfo="text", **look, **counts)
    figure = go.Figure(heat)
    figure.update_layout(**_layout(dark, height, "confusion"))
    figure.update_xaxes(**_axis(dark), title_text="predicted", type="category", showgrid=False)
    figure.update_yaxes(**_axis(dark), title_text="true", type="category", autorange="reversed", showgrid=False)
    return figure


def class_counts(
    names: Sequence[str], counts: Mapping[str, Sequence[int]], dark: bool | None = None, height: int | None = None
) -> "Figure":
    """How many images of each class there are, a bar for each of the named splits; the second split's bars are
    paler."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, (split, numbers) in enumerate(counts.items()):
        marker = {"color": [class_colour(c) for c in range(len(names))], "opacity": max(0.3, 1 - 0.5 * i)}
        words = f"%{{y}}: %{{x:,}} {split}<extra></extra>"
        figure.add_trace(
            go.Bar(
                x=list(numbers),
                y=_distinct(names),
                orientation="h",
                name=f"{split} (paler)" if i else split,
                marker=marker,
                hovertemplate=words,
            )
        )
    tall = height or max(160, 60 + len(names) * (16 + 8 * len(counts)))
    figure.update_layout(**_layout(dark, min(tall, 1200), "counts"), barmode="group", legend=_legend_above())
    figure.update_xaxes(**_axis(dark), rangemode="tozero")
    figure.update_yaxes(**_axis(dark), type="category", autorange="reversed", showgrid=False)
    return figure


# --- pictures


def image_strip(rows: Sequence[np.ndarray], scale: int | None = None, gap: int = 1) -> np.ndarray:
    """Rows of images, each (n, C, H, W), one under the other (originals over reconstructions): uint8 (height, width,
    4).

    Images are uint8 or from 0 to 1; grey or colour. `scale` enlarges each pixel to a square (default: images of about
    56 pixels), gaps are transparent. Rows may differ in length."""
    rows = [_pixels(row) for row in rows]  # (n, H, W, 4)
    if not rows or not any(len(row) for row in rows):
        raise ValueError("there is no image to show")
    height, width = next(row.shape[1:3] for row in rows if len(row))
    columns = max(len(row) for row in rows)
    sheet = np.zeros((len(rows), height + gap, columns, width + gap, 4), np.uint8)
    for i, row in enumerate(rows):
        if len(row):
            sheet[i, :height, : len(row), :width] = row.transpose(1, 0, 2, 3)
    picture = sheet.reshape(len(rows) * (height + gap), columns * (width + gap), 4)
    picture = picture[: len(picture) - gap, : picture.shape[1] - gap]
    scale = scale or max(1, math.ceil(56 / height))
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def image_sheet(images: np.ndarray, columns: int | None = None, scale: int | None = None) -> np.ndarray:
    """Images (n, C, H, W) in rows of equal length (default: about 2.5 times as wide as high): uint8 (height, width,
    4)."""
    columns = columns or max(1, math.ceil(math.sqrt(2.5 * len(images))))
    return image_strip([images[i : i + columns] for i in range(0, len(images), columns)], scale)


def lattice_image(grid: np.ndarray, scale: int | None = None) -> np.ndarray:
    """Images (rows, columns, C, H, W) side by side without gaps, the first at the upper left: uint8 (height, width,
    4)."""
    return image_strip(list(grid), scale, gap=0)


def image_grid(
    images: Sequence[np.ndarray], names: Sequence[str], dark: bool | None = None, row_height: int = 34
) -> "Figure":
    """A row of images, each (n, C, H, W), beside each name."""
    import plotly.graph_objects as go

    picture = image_strip(images, scale=1)
    pitch = (len(picture) + 1) / len(images)
    figure = go.Figure(go.Image(z=picture, colormodel="rgba256", hoverinfo="skip"))
    figure.update_layout(**_layout(dark, 20 + row_height * len(images), "grid"))
    figure.update_xaxes(visible=False, constrain="domain")
    centres = [pitch * (i + 0.5) - 1 for i in range(len(images))]
    figure.update_yaxes(
        **_axis(dark), tickvals=centres, ticktext=list(names), showgrid=False, ticks="", constrain="domain"
    )
    return figure


def _pixels(images: np.ndarray) -> np.ndarray:
    """(n, C, H, W), uint8 or from 0 to 1, grey or colour -> uint8 (n, H, W, 4), opaque."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be (n, 1 or 3, H, W), got {images.shape}")
    if images.dtype != np.uint8:
        images = (np.nan_to_num(images).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    colour = np.broadcast_to(images, (len(images), 3, *images.shape[2:])).transpose(0, 2, 3, 1)
    return np.concatenate([colour, np.full((*colour.shape[:3], 1), 255, np.uint8)], axis=3)


# --- the common frame


def _layout(dark: bool | None, height: int, revision: str) -> dict[str, Any]:
    ink, _ = INK[dark]
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": ink, "size": 12, "family": FONT},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "height": height,
        "uirevision": revision,
    }


def _axis(dark: bool | None) -> dict[str, Any]:
    ink, grid = INK[dark]
    return {
        "automargin": True,
        "gridcolor": grid,
        "zeroline": False,
        "linecolor": grid,
        "tickfont": {"color": ink},
        "title_font": {"color": ink},
        "title_standoff": 6,
    }


def _legend_above() -> dict[str, Any]:
    return {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}


def _distinct(names: Sequence[str]) -> list[str]:
    """Names as axis categories, of which two must not be equal: a number is put before those that are."""
    return [name if list(names).count(name) == 1 else f"{i} {name}" for i, name in enumerate(names)]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
