"""A run at an epoch as a figure, a film or a page to take away shows it: its drawing, and what it is in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml import planes
from semidml.config import RunConfig, declared_knobs
from semidml.explore import drawing, points, titles
from semidml.frames import TEST, TRAIN, Frame
from semidml.planes import PROJECTIONS
from semidml.plots.colours import Kind
from semidml.priors.density import MASSES, regions
from semidml.registry import choose
from semidml.scatter.pack import MOST_RINGS, Drawing
from semidml.scores.table import SCORES, shown_at
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.runs.run import Run

LETTERS = "ABCD"
MOST_RUNS = 4
MOST_WIDER = 1.4  # times as wide a view for the outer rings
COLOURED = {
    "class": "class",
    "prediction": "predicted class",
    "seen": "class where the label is seen",
    "error": "class where the prediction is wrong",
    "component": "component of the prior",
    "cluster": "cluster",
}
PARTS = {"both": "training and test rows", "train": "training rows", "test": "test rows"}


@dataclass(frozen=True, eq=False)
class Shown:
    """A run at an epoch as a figure shows it."""

    drawn: Drawing
    across: str  # what the axes are
    up: str
    title: str  # the setting in words
    settings: str  # what else is unusual about it
    words: str  # epoch, rows and plane
    scores: Sequence[tuple[str, str]]  # (title, value)
    scores_of: str  # which rows the scores are of
    note: str  # what is drawn of the prior, and which run it is
    equal: bool = True  # whether a unit is as long across as up


def last_epoch(run: "Run", epoch: int | None = None) -> int:
    """The epoch that is asked for, else the last of which there is a frame.
    Raises: ValueError in words where there is none."""
    epochs = run.frames()
    if not epochs:
        raise ValueError(f"{run.id} has stored no points: there is nothing to draw")
    if epoch is not None and epoch not in epochs:
        few = ", ".join(map(str, epochs[:12])) + (", ..." if len(epochs) > 12 else "")
        raise ValueError(f"{run.id} has kept no points of epoch {epoch}, but of {few}")
    return epochs[-1] if epoch is None else epoch


def show_run(
    run: "Run",
    *,
    epoch: int | None = None,
    colour: Kind = "class",
    plane: str = "pca",
    part: str = "both",
    density: bool = True,
    placed: np.ndarray | None = None,
    compute: Progress | None = None,
) -> Shown:
    """A run's map as the page draws it. plane: of PROJECTIONS, for more than two dimensions; UMAP and t-SNE are
    `placed` (n, 2), else those that were computed before, else computed where `compute` is to be told how far that is.
    part: of PARTS. density: whether the prior's regions lie under the points.
    Raises: ValueError in words for what cannot be drawn so."""
    choose(PARTS, part, "rows")
    choose(PROJECTIONS, plane, "a plane")
    epoch = last_epoch(run, epoch)
    frame = points.read_frame(run, epoch)
    placed, axes_of, axes = place_points(run, frame, plane, placed, compute)
    names = points.class_names(run)
    away = (
        np.zeros(len(placed), bool) if part == "both" else frame.rows["split"] != (TRAIN if part == "train" else TEST)
    )
    if away.all():
        raise ValueError(f"the frames of {run.id} hold no {PARTS[part]}: there is nothing to draw")
    rings = drawing.ellipses(frame, axes_of) if axes_of is not None or frame.latents.shape[1] == 2 else []
    if colour == "component" and frame.components is None:
        raise ValueError(f"{run.id} has no prior: its points cannot be coloured by component")
    drawn = drawing.draw_frame(frame, placed, names, view_of(placed[~away], rings), words="", run=run.id, colour=colour)
    drawn = replace(drawn, away=away, ellipses=rings, masses=MASSES)
    if density and frame.component_means is not None and frame.latents.shape[1] == 2:
        drawn = replace(drawn, density=regions(*frame.components))
    return describe_drawing(run, frame, drawn, axes, colour=colour, part=part)


def describe_drawing(
    run: "Run", frame: Frame, drawn: Drawing, axes: tuple[str, str, str], *, colour: str = "class", part: str = "both"
) -> Shown:
    """What a page's own drawing of a run's frame is, in words, for a figure of it. axes: across, up, plane."""
    config, count = run.config(), int((~drawn.away).sum()) if drawn.away is not None else len(drawn.points)
    when = f"epoch {frame.epoch} of {config.epochs}" if frame.epoch else "before training"
    scores, scores_of = scores_at(run, frame.epoch)
    across, up, plane = axes
    what = f"{count:,} {PARTS[part]}, coloured by {COLOURED[colour]}"
    return Shown(
        drawn,
        across,
        up,
        titles.setting_words(config),
        ", ".join(titles.unusual_words(config)),
        " · ".join(word for word in (when, what, plane) if word),
        scores,
        scores_of,
        " ".join([*prior_words(drawn), f"Run {run.id}."]),
        equal=frame.latents.shape[1] > 1,
    )


def prior_words(drawn: Drawing) -> list[str]:
    """What is drawn of the prior, in sentences."""
    words = []
    if len(drawn.ellipses) > MOST_RINGS:
        words.append(f"Dots: the {len(drawn.ellipses)} components of the prior, the larger, the more they weigh.")
    elif drawn.ellipses:
        words.append("Rings: the prior's components at one and two sigma.")
    if drawn.density is not None:
        words.append(f"Shades hold {' and '.join(f'{mass:.0%}' for mass in drawn.masses)} of the prior.")
    return words


def place_points(
    run: "Run", frame: Frame, plane: str, placed: np.ndarray | None = None, compute: Progress | None = None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, str, str]]:
    """(places (n, 2); the latents on whose axes they lie, None where they lie on none; what the axes are: across, up
    and the plane in words). See `show_run`. Raises: ValueError where a projection has not been computed yet."""
    dimensions, labels = frame.latents.shape[1], frame.rows["labels"]
    if dimensions == 2:
        return frame.latents, frame.latents, ("z1", "z2", "")
    if dimensions == 1:
        placed, _ = planes.in_plane(frame.latents, labels)
        return placed, None, ("z1", "", "one dimension, a strip a class")
    if plane != "pca":
        title = PROJECTIONS[plane].title
        placed = points.read_plane(run, frame.epoch, plane) if placed is None else placed
        if placed is None and compute:
            placed = points.compute_plane(run, frame.epoch, plane, frame.latents, compute)
        if placed is None or len(placed) != len(frame.latents):
            raise ValueError(
                f"the {title} of epoch {frame.epoch} of {run.id} has not been computed yet: compute it on Explore, or "
                "ask for PCA"
            )
        return placed, None, (f"{title} 1", f"{title} 2", f"{title} of {dimensions} dimensions")
    axes_of = points.read_frame(run, run.frames()[-1]).latents
    placed, _ = planes.in_plane(frame.latents, labels, axes_of)
    kept = planes.variance_kept(frame.latents, placed)
    words = f"PCA of {dimensions} dimensions, {kept:.0%} of the variance"
    return placed, axes_of, ("first principal direction", "second principal direction", words)


def view_of(placed: np.ndarray, rings: Sequence[Sequence[float]] = ()) -> tuple[tuple[float, float], ...]:
    """Ranges of x and y that hold all but the outermost 0.2 % of points at either side, and the components at one
    sigma, as the page's map does; at two where that is not much wider."""
    low, high = np.percentile(placed, [0.2, 99.8], axis=0)
    if rings:
        middles, reach = np.array([ring[:2] for ring in rings]), np.array([max(ring[2:4]) for ring in rings])[:, None]
        held = [
            (np.minimum(low, (middles - sigmas * reach).min(0)), np.maximum(high, (middles + sigmas * reach).max(0)))
            for sigmas in (1, 2)
        ]
        near, far = (float((top - bottom).max()) for bottom, top in held)
        low, high = held[far <= MOST_WIDER * near]
    margin = np.maximum(0.05 * (high - low), 1e-6)
    low, high = low - margin, high + margin
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def scores_at(run: "Run", epoch: int) -> tuple[list[tuple[str, str]], str]:
    """(scores of an epoch, title and value; which rows they are of): the final ones where it is the last, else the live
    ones of that moment; ([], "") where none are known."""
    final = run.metrics() if epoch == run.config().epochs else None
    values: dict[str, Any] = dict(final or {})
    if not values:
        values = next(
            (dict(record.scores) for record in run.history() if record.epoch == epoch and not record.step), {}
        )
    names = [name for name in shown_at("compare") if values.get(name) is not None]
    of = (
        ("all test images" if run.config().evaluate_on == "test" else "held-out images")
        if final
        else "drawn test images"
    )
    return [(SCORES[name].title, titles.score_with_scatter(name, values)) for name in names], of if names else ""


def show_runs(runs: Sequence["Run"], **how: Any) -> list[Shown]:
    """Runs for one figure; of several each with the knobs that tell it from the others. how: see `show_run`."""
    if len(runs) == 1:
        return [show_run(runs[0], **how)]
    told = differing_words([run.config() for run in runs])
    return [replace(show_run(run, **how), settings=words) for run, words in zip(runs, told, strict=True)]


def differing_words(configs: Sequence[RunConfig]) -> list[str]:
    """Of each setting the knobs that tell it from the others, but for those that its title says."""
    names = [name for name in declared_knobs() if name not in ("data", "model", "variant", "pl", "prior")]
    told = [name for name in names if len({_knob_words(config, name) for config in configs}) > 1]
    return [", ".join(words for name in told if (words := _knob_words(config, name))) for config in configs]


def _knob_words(config: RunConfig, name: str) -> str:
    used = name in config.used()
    return f"{titles.knob_title(name).lower()} {titles.short_value(getattr(config, name))}" if used else ""


def with_common_view(several: Sequence[Shown]) -> list[Shown]:
    """The same maps with one view, where all have the same axes."""
    if len({(shown.across, shown.up) for shown in several}) > 1:
        return list(several)
    sides = [[getattr(shown.drawn, name) for shown in several] for name in ("x_range", "y_range")]
    x, y = ((min(low for low, _ in side), max(high for _, high in side)) for side in sides)
    return [replace(shown, drawn=replace(shown.drawn, x_range=x, y_range=y)) for shown in several]
