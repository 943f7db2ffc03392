"""Curves of a run by epoch: records in, charts out, which the browser draws and changes in place: see `plots.chart`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from semidml.plots.chart import INK, Axis, Chart, Level, Series, axis_end, span
from semidml.plots.style import LINE_COLOURS
from semidml.scores.table import PIXELS, SCORES, shown_at

MOST_BARS = 200


def loss_curves(records: Sequence[Any], epochs: int | None = None) -> Chart:
    """Each loss term times its weight, stacked: a bar for each finished epoch and one for what there is of the next, of
    records (`semidml.frames.Record`); epochs: of the whole training, where it goes on.

    What is negative hangs below zero, and then a line shows the sum. A term that an epoch did not compute has no part
    in its bar; each part is told as weight and term. Of more than 200 epochs every third, fifth, ... is drawn: an odd
    step, so that a schedule of odd and even epochs shows both."""
    drawn = _epoch_by_epoch(records)
    step = -(-len(drawn) // MOST_BARS) // 2 * 2 + 1 if len(drawn) > MOST_BARS else 1
    drawn = drawn[(len(drawn) - 1) % step :: step]  # the last is among them
    x = [record.epoch if record.step == 0 else record.epoch + 1 for record in drawn]
    names = sorted({name for record in drawn for name in record.terms})
    series = [_term(name, drawn, x, _colour(position)) for position, name in enumerate(names)]
    ups, downs, totals = ([sum(_parts(record, sign)) for record in drawn] for sign in (1, -1, 0))
    if any(down < 0 for down in downs):
        series.append(Series("sum", INK, x, totals, [f"{total:.4g}" for total in totals]))
    low, high = min(downs, default=0.0), max(ups, default=0.0)
    room = 0.05 * (high - low) or 0.05
    across = Axis("epoch", 0.4, axis_end(max(x, default=1), epochs) + 0.6)
    up = Axis("weight × term", low - room if low < 0 else 0.0, high + room)
    width = step * (0.86 if len(x) < 60 else 1.0)
    return Chart("Loss", across, up, series, words=loss_words(records), bar=width)


def _term(name: str, records: Sequence[Any], x: Sequence[int], colour: str) -> Series:
    """A term's parts of the loss, with the weights and terms that they are made of."""
    shares = [_share(record, name) for record in records]
    weights = [record.weights.get(name, 1.0) for record in records]
    terms = [record.terms.get(name) for record in records]
    words = [
        "" if share is None else f"{share:.4g} = {weight:.3g} × {term:.4g}"
        for share, weight, term in zip(shares, weights, terms, strict=True)
    ]
    return Series(name, colour, x, shares, words, "bar", more={"weight": weights, "term": terms})


def _parts(record: Any, sign: int) -> list[float]:
    """The terms' parts of a record's loss: those of a sign, or all of them for 0."""
    parts = [_share(record, name) or 0.0 for name in record.terms]
    return [part for part in parts if sign * part > 0 or not sign]


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
    place: str = "curves",
    bands: Mapping[str, Any] | None = None,
    epochs: int | None = None,
) -> Chart:
    """The live scores of a place (`table.PLACES`) over epochs, from 0 to 1, with what needs no training beside
    them: chance dotted, raw pixels dashed in the colour of the score that they belong to. floors: see
    `protocol.floors`; bands: over seeds, by score, see `sweeps.seeds.spread_history`; epochs: see `loss_curves`."""
    series, levels = [], []
    for position, key in enumerate(shown_at(place)):
        title, colour = SCORES[key].title, _colour(position)
        is_scored = any(key in record.scores for record in records)
        if bands and key in bands:
            series.append(_band(bands[key], title, colour, labelled=not is_scored))
        if is_scored:
            series.append(_score(records, key, title, colour))
        if floors and (floor := floors.get(f"{PIXELS}{key}")) is not None:
            levels.append(Level("pixels, seen" if SCORES[key].fitted_on == "seen" else "pixels", floor, colour))
    if floors and floors.get("chance") is not None:
        levels.append(Level("chance", floors["chance"], dash="dot"))
    return Chart("Scores", _epoch_axis(series, epochs), Axis("", 0.0, 1.02), series, levels)


def entropy_curves(records: Sequence[Any], best: float, epochs: int | None = None) -> Chart:
    """The two entropies of clusters over epochs, in nats, with the best that each can reach: `best`, ln of the number
    of clusters, for all images together, 0 for one image. epochs: see `loss_curves`."""
    goals = {"marginal_entropy": (best, f"ln K = {best:.2f}"), "conditional_entropy": (0.0, "sure: 0")}
    series, levels = [], []
    for position, (key, (level, words)) in enumerate(goals.items()):
        series.append(_score(records, key, SCORES[key].title, _colour(position)))
        levels.append(Level(words, level, _colour(position)))
    return Chart("Entropies", _epoch_axis(series, epochs), Axis("nats", -0.06 * best, 1.12 * best), series, levels)


def worth_curve(counts: Sequence[int], scores: Sequence[float], level: float, title: str) -> Chart:
    """A score of training with labels over how many there are, on a logarithmic axis, and the level that was reached
    without any."""
    words = [f"{score:.3f}" for score in scores]
    series = [Series("with labels", _colour(0), list(counts), list(scores), words)]
    levels = [Level(f"without labels: {level:.3f}", level, _colour(1))]
    across = Axis("labels seen", counts[0] / 1.3, counts[-1] * 1.3, log=True)
    return Chart("What labels are worth", across, Axis(title, *span(series, levels)), series, levels)


def compared_curves(
    runs: Mapping[str, Sequence[Any]], score: str, title: str, bands: Mapping[str, Any] | None = None
) -> Chart:
    """One score of several runs by epoch, a line a run. runs: records by the run's name; bands: over the seeds of its
    setting, by its name too, see `sweeps.seeds.spread_history`."""
    series = []
    for position, (name, records) in enumerate(runs.items()):
        scored = [record for record in records if record.scores.get(score) is not None]
        if bands and name in bands:
            series.append(_band(bands[name], name, _colour(position), labelled=not scored))
        if scored:
            series.append(_score(scored, score, name, _colour(position)))
    return Chart(title, _epoch_axis(series), Axis("", *span(series)), series)


def _colour(position: int) -> str:
    return LINE_COLOURS[position % len(LINE_COLOURS)]


def _epoch_axis(series: Sequence[Series], epochs: int | None = None) -> Axis:
    return Axis("epoch", 0.0, axis_end(max((x for curve in series for x in curve.x), default=1.0), epochs))


def _score(records: Sequence[Any], score: str, name: str, colour: str) -> Series:
    """A score by epoch, of the records that have scores."""
    scored = [record for record in records if record.scores]
    x = [record.epoch + record.step / record.steps if record.steps else float(record.epoch) for record in scored]
    y = [record.scores.get(score) for record in scored]
    return Series(name, colour, x, y, ["" if value is None else f"{value:.3f}" for value in y])


def _band(band: Any, name: str, colour: str, labelled: bool) -> Series:
    """Mean and one standard deviation to either side over seeds, by epoch."""
    means, counts = [spread.mean for spread in band.spreads], [spread.n for spread in band.spreads]
    sds = [0.0 if math.isnan(spread.sd) else spread.sd for spread in band.spreads]
    words = [f"{mean:.3f} ± {sd:.3f} (n = {n})" for mean, sd, n in zip(means, sds, counts, strict=True)]
    more, named = {"sd": sds, "n": counts}, f"{name}, mean of seeds"
    return Series(named, colour, list(band.epochs), means, words, "mean", labelled, sds, more)
