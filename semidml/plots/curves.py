"""Numbers in, figures out: Plotly figures and small pictures, with one colour a class everywhere.

`dark` says which background a figure will lie on; None (the page's theme is not known) takes ink that is legible on
both. Paper is transparent. Pictures are uint8 (height, width, 4) with transparent gaps, or PNG bytes."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from semidml.plots import style
from semidml.scores.table import PIXELS, SCORES, shown_at

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


MOST_BARS = 200
EPOCHS = {"title_text": "epoch", "rangemode": "tozero"}  # an axis


def loss_curves(records: Sequence[Any], dark: bool | None = None, height: int = 280) -> "Figure":
    """Each loss term times its weight, stacked: a bar for each finished epoch and one for what there is of the next, of
    records (`semidml.frames.Record`).

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
        marker = {"color": style.LINE_COLOURS[i % len(style.LINE_COLOURS)], "line": {"width": 0}}
        bar = {"x": x, "y": share, "name": name, "width": step * (0.86 if len(x) < 60 else 1.0)}
        figure.add_trace(go.Bar(**bar, marker=marker, hovertext=words, hovertemplate="%{y:.4g} = %{hovertext}"))
    if any((_share(record, name) or 0) < 0 for record in drawn for name in record.terms):
        total = [sum(_share(record, name) or 0 for name in record.terms) for record in drawn]
        line = {"color": style.INK[dark][0], "width": 2}
        figure.add_scatter(x=x, y=total, mode="lines", line=line, name="sum", hovertemplate="%{y:.4g}")
    across = {"title_text": "epoch", "range": (0.4, max(x) + 0.6) if x else None}
    style.dress(figure, dark, height, "loss", across, {"title_text": "weight × term", "rangemode": "tozero"})
    figure.update_layout(barmode="relative", legend_traceorder="normal")
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
    bands: Mapping[str, Any] | None = None,
) -> "Figure":
    """The live scores of a place (`table.PLACES`) over epochs, from 0 to 1, with what needs no training beside
    them: chance dotted, raw pixels dashed in the colour of the score that they belong to. floors: see
    `protocol.floors`; bands: over seeds, by score, see `sweeps.seeds.spread_history`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, key in enumerate(shown_at(place)):
        if bands and key in bands:
            _add_band(figure, bands[key], SCORES[key].title, i)
        if any(key in record.scores for record in records):
            _add_score(figure, records, key, SCORES[key].title, i)
        if floors and (floor := floors.get(f"{PIXELS}{key}")) is not None:
            words = "pixels, seen" if SCORES[key].fitted_on == "seen" else "pixels"
            _level(figure, floor, words, style.LINE_COLOURS[i], "dash")
    if floors and floors.get("chance") is not None:
        _level(figure, floors["chance"], "chance", style.INK[dark][0], "dot")
    style.dress(figure, dark, height, "scores", EPOCHS, {"range": (0, 1.02)})
    return figure


def entropy_curves(records: Sequence[Any], best: float, dark: bool | None = None, height: int = 280) -> "Figure":
    """The two entropies of clusters over epochs, in nats, with the best that each can reach: `best`, ln of the number
    of clusters, for all images together, 0 for one image."""
    import plotly.graph_objects as go

    figure = go.Figure()
    levels = {"marginal_entropy": (best, f"ln K = {best:.2f}"), "conditional_entropy": (0.0, "sure: 0")}
    for i, (key, (level, words)) in enumerate(levels.items()):
        _add_score(figure, records, key, SCORES[key].title, i)
        _level(figure, level, words, style.LINE_COLOURS[i], "dash")
    nats = {"title_text": "nats", "range": (-0.06 * best, 1.12 * best)}
    style.dress(figure, dark, height, "entropies", EPOCHS, nats)
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
    _level(figure, level, f"without labels: {level:.3f}", style.LINE_COLOURS[1], "dash")
    figure.update_layout(**style.layout(dark, height, "worth"), showlegend=False)
    figure.update_xaxes(**style.axis(dark), title_text="labels seen", type="log")
    figure.update_yaxes(**style.axis(dark), title_text=title)
    return figure


def compared_curves(
    runs: Mapping[str, Sequence[Any]],
    score: str,
    title: str,
    dark: bool | None = None,
    height: int = 280,
    bands: Mapping[str, Any] | None = None,
) -> "Figure":
    """One score of several runs by epoch, a line a run. runs: records by the run's name; bands: over the seeds of its
    setting, by its name too, see `sweeps.seeds.spread_history`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for position, (name, records) in enumerate(runs.items()):
        if bands and name in bands:
            _add_band(figure, bands[name], name, position)
        if scored := [record for record in records if record.scores.get(score) is not None]:
            _add_score(figure, scored, score, name, position)
    style.dress(figure, dark, height, score, EPOCHS, {"title_text": title})
    return figure


def _line(x: list[float], y: list[float | None], name: str, position: int, **more: Any) -> Any:
    import plotly.graph_objects as go

    colour = style.LINE_COLOURS[position % len(style.LINE_COLOURS)]
    look = {"line": {"color": colour, "width": 2}, "marker": {"color": colour, "size": 5}}  # it shows a lone point
    return go.Scatter(x=x, y=y, name=name, mode="lines+markers", connectgaps=False, **look, **more)


def _add_score(figure: "Figure", records: Sequence[Any], score: str, name: str, position: int) -> None:
    """A score by epoch, of the records that have scores."""
    scored = [record for record in records if record.scores]
    x = [record.epoch + record.step / record.steps if record.steps else float(record.epoch) for record in scored]
    y = [record.scores.get(score) for record in scored]
    figure.add_trace(_line(x, y, name, position, hovertemplate="%{y:.3f}"))


def _add_band(figure: "Figure", band: Any, name: str, position: int) -> None:
    """Mean and one standard deviation to either side over seeds, by epoch, in the colour of a line."""
    colour = style.LINE_COLOURS[position % len(style.LINE_COLOURS)]
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    means = [spread.mean for spread in band.spreads]
    sds = [0.0 if math.isnan(spread.sd) else spread.sd for spread in band.spreads]
    edges = [mean + sd for mean, sd in zip(means, sds, strict=True)]
    edges += [mean - sd for mean, sd in zip(means[::-1], sds[::-1], strict=True)]
    fill = {"fill": "toself", "fillcolor": f"rgba({red},{green},{blue},0.18)", "line": {"width": 0}}
    figure.add_scatter(
        x=[*band.epochs, *band.epochs[::-1]], y=edges, mode="lines", **fill, hoverinfo="skip", showlegend=False
    )
    words = [f"± {sd:.3f} (n = {spread.n})" for sd, spread in zip(sds, band.spreads, strict=True)]
    figure.add_scatter(
        x=band.epochs, y=means, mode="lines", line={"color": colour, "width": 1.2, "dash": "dot"}, showlegend=False,
        name=f"{name}, mean of seeds", hovertext=words, hovertemplate="%{y:.3f} %{hovertext}",
    )  # fmt: skip


def _level(figure: "Figure", value: float, name: str, colour: str, dash: str) -> None:
    figure.add_hline(
        y=value, line={"color": colour, "width": 1.2, "dash": dash},
        annotation={"text": name, "font": {"color": colour, "size": 11}}, annotation_position="bottom right",
    )  # fmt: skip
