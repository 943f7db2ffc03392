"""Charts of counts and of grids: classes, confusion, distances."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml.plots import colours, pictures, style
from semidml.words import NO_LABEL

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


# --- priors


def profile_figure(profile: Mapping[str, Any], dark: bool | None = None, height: int = 460) -> "Figure":
    """The density along the line through two neighbouring components, and each one's share of it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, part in enumerate(profile["parts"]):
        line = {"color": style.LINE_COLOURS[i], "width": 1.5, "dash": "dash"}
        names = ("a component", "its neighbour")
        figure.add_trace(go.Scatter(x=profile["along"], y=part, mode="lines", line=line, name=names[i]))
    whole = {"color": style.INK[dark][0], "width": 2.5}
    figure.add_trace(go.Scatter(x=profile["along"], y=profile["whole"], mode="lines", line=whole, name="the density"))
    way = {"title_text": "latent units along the way"}
    style.dress(figure, dark, height, "profile", way, {"rangemode": "tozero"})
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
        [f"{true} read as {read}: {matrix[i, j]:,} ({share[i, j]:.1%})" for j, read in enumerate(class_names)]
        for i, true in enumerate(class_names)
    ]
    names = style.distinct(class_names)
    written = [[f"{n}" if n else "" for n in row] for row in matrix]
    counts = {"text": written, "texttemplate": "%{text}"} if len(class_names) <= 12 else {}
    colouring = {"colorscale": "Cividis", "zmin": 0, "zmax": 1, "showscale": False, "xgap": 1, "ygap": 1}
    heat = go.Heatmap(z=np.sqrt(share), x=names, y=names, hovertext=words, hoverinfo="text", **colouring, **counts)
    figure = go.Figure(heat)
    figure.update_layout(**style.layout(dark, height, "confusion"))
    figure.update_xaxes(**style.axis(dark), title_text="predicted", type="category", showgrid=False)
    figure.update_yaxes(**style.axis(dark), title_text="true", type="category", autorange="reversed", showgrid=False)
    return figure


def class_counts(
    names: Sequence[str], counts: Mapping[str, Sequence[int]], dark: bool | None = None, height: int | None = None
) -> "Figure":
    """How many images of each class there are, a bar for each of the named splits; the second split's bars are paler.
    After the classes there may be the images that have no label, in their own grey."""
    import plotly.graph_objects as go

    figure, tints = go.Figure(), [colours.class_colour(c) for c in range(len(names))]
    if names and names[-1] == NO_LABEL:
        tints[-1] = colours.UNLABELLED
    for i, (split, numbers) in enumerate(counts.items()):
        opacity = max(0.3, 1 - 0.5 * i)  # in the colours: the legend does not show a marker's own
        paler = [f"rgba({', '.join(map(str, colours.rgb(tint)))}, {opacity})" for tint in tints]
        marker = {"color": paler if i else tints}
        words = f"%{{y}}: %{{x:,}} {split}<extra></extra>"
        bar = {"x": list(numbers), "y": style.distinct(names), "name": f"{split} (paler)" if i else split}
        figure.add_trace(go.Bar(**bar, orientation="h", marker=marker, hovertemplate=words))
    tall = height or max(160, 60 + len(names) * (16 + 8 * len(counts)))
    down = {"type": "category", "autorange": "reversed", "showgrid": False}
    style.dress(figure, dark, min(tall, 1200), "counts", {"rangemode": "tozero"}, down)
    figure.update_layout(barmode="group", hovermode=None)
    return figure


def image_grid(
    images: Sequence[np.ndarray], names: Sequence[str], dark: bool | None = None, row_height: int = 34
) -> "Figure":
    """A row of images, each (n, C, H, W), beside each name."""
    import plotly.graph_objects as go

    picture = pictures.image_strip(images, scale=1)
    pitch = (len(picture) + 1) / len(images)
    figure = go.Figure(go.Image(z=picture, colormodel="rgba256", hoverinfo="skip"))
    figure.update_layout(**style.layout(dark, 20 + row_height * len(images), "grid"))
    figure.update_xaxes(visible=False, constrain="domain")
    centres = [pitch * (i + 0.5) - 1 for i in range(len(images))]
    figure.update_yaxes(
        **style.axis(dark), tickvals=centres, ticktext=list(names), showgrid=False, ticks="", constrain="domain"
    )
    return figure
