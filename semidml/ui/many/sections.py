"""What stands below the sheet, drawn when asked for: curves, parallel coordinates, the table, the sweep itself."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import streamlit as st

from semidml.plots.many import Coordinate, Curve, band_curves, parallel_lines
from semidml.scatter import bundle, sent
from semidml.scores.table import SCORES, shown_at
from semidml.sweeps import sweep as folders
from semidml.sweeps.plan import Plan, parse_axis, parse_seeds
from semidml.sweeps.seeds import DECIDING, Siblings, Spread
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import (
    HELD_OUT,
    STATES,
    TESTED,
    Best,
    Table,
    best,
    chosen_by,
    gather,
    score_of,
    write_csv,
    write_parquet,
)
from semidml.ui import frame, manage, pictures, seeds
from semidml.ui.many import planner
from semidml.ui.many.lattice import Lattice, bounds, choice_words, mean_words, score_title
from semidml.ui.take_away import OnDisk, draw_download
from semidml.ui.words import as_code, knob_title, plain_markdown
from semidml.words import size_words, value_words

if TYPE_CHECKING:
    import pandas as pd

SECTIONS = ("Curves", "Parallel coordinates", "Table", "This sweep")
OF_SEEDS = ("Scores", "Curves", "Table", "This sweep")  # where nothing else is varied
MOST_CURVES = 12
MOST_LINES = 1000
MOST_SCORES = 4  # axes of parallel coordinates that are scores
MOST_ZIP = 400_000_000  # bytes of runs that a page packs: more leave by the command line


def draw_best(table: Table, score: str) -> None:
    """The best setting, by held-out images alone."""
    known = score_of(score)
    name = known.name if known is not None and known.better else chosen_by()[0]
    try:
        words = f"**Best** · {best_words(best(table, name))}"
    except ValueError as error:
        words = f"**Best**: {error}."
    st.caption(f":material/trophy: {words}")


def best_words(chosen: Best) -> str:
    """The best setting as it is read, for Markdown."""
    setting = ", ".join(f"{knob_title(knob)} {choice_words(knob, value)}" for knob, value in chosen.values.items())
    own = mean_words(f"{HELD_OUT}{chosen.score}", chosen.mean, chosen.sd, chosen.n)
    tested = f"; on the test images {mean_words(f'{TESTED}{chosen.score}', chosen.test_mean, chosen.test_sd, chosen.n)}"
    tested = "" if math.isnan(chosen.test_mean) else tested
    among = "" if chosen.among == chosen.settings else f" among {chosen.among} of {chosen.settings} settings"
    few = f" Fewer than {DECIDING} seeds decide nothing." if chosen.n < DECIDING else ""
    title = SCORES[chosen.score].title
    return f"{plain_markdown(setting)}: chosen{among} by held-out images alone, {title} {own}{tested}.{few}"


# ---- curves


def draw_curves(lattice: Lattice, score: str, floors: Sequence[tuple[float, str]]) -> None:
    """The score over the knob along the bottom, a curve a value of the other one, a band of one sd over seeds."""
    if not score:
        st.caption("There is no score yet.")
        return
    width = len(lattice.column_values)
    curves = []
    for number, value in enumerate(lattice.row_values[:MOST_CURVES]):
        settings = lattice.settings[number * width : (number + 1) * width]
        line = f"{knob_title(lattice.rows)} {choice_words(lattice.rows, value)}" if lattice.rows else ""
        name = line or score_title(score)
        words = [mean_words(score, setting.mean, setting.sd, setting.n) for setting in settings]
        curves.append(Curve(name, [s.mean for s in settings], [s.sd for s in settings], words))
    values = [choice_words(lattice.columns, value) for value in lattice.column_values]
    title = f"{score_title(score)} over {knob_title(lattice.columns).lower()}"
    pictures.draw_curves("bands", band_curves(title, knob_title(lattice.columns), values, curves, floors))
    counts = [setting.n for setting in lattice.settings]
    n = f"n = {min(counts)}" if min(counts) == max(counts) else f"n = {min(counts)} to {max(counts)}"
    left_out = len(lattice.row_values) - MOST_CURVES
    more = f" The first {MOST_CURVES} of {len(lattice.row_values)} curves are drawn." if left_out > 0 else ""
    st.caption(f"A line is the mean over seeds, its band one standard deviation to either side ({n}).{more}")


def draw_epochs(siblings: Siblings) -> None:
    """Live scores by epoch, of a sweep of seeds alone: a curve a score, a band of one sd over seeds."""
    names = shown_at("curves")
    bands = seeds.read_bands(siblings, names)
    if not bands:
        st.caption("No run is done yet that has scores of its epochs.")
        return
    epochs = sorted({epoch for band in bands.values() for epoch in band.epochs})
    curves = []
    for name, band in bands.items():
        at = dict(zip(band.epochs, band.spreads, strict=True))
        spreads = [at.get(epoch, Spread(math.nan, math.nan, 0)) for epoch in epochs]
        words = [mean_words(f"{siblings.prefix}{name}", *spread) for spread in spreads]
        curves.append(Curve(SCORES[name].title, [s.mean for s in spreads], [s.sd for s in spreads], words))
    pictures.draw_curves("bands", band_curves("Live scores by epoch", "Epoch", list(map(str, epochs)), curves))
    st.caption(f"Scores of every epoch are of the points drawn. {seeds.band_words(siblings)}")


# ---- parallel coordinates


def draw_parallel(table: Table, score: str, pick: Callable[[Mapping[str, Any]], None]) -> None:
    """A line a setting through its knobs and its scores. `pick` is told the values of one that was clicked."""
    columns = list_columns(table, score)
    if not columns:
        st.caption("There is no score yet.")
        return
    means = {column: gather(table, column) for column in columns}
    first = means[columns[0]]
    axes = [knob_axis(name, list(first[name])) for name in table.axes]
    axes += [score_axis(column, list(means[column]["mean"])) for column in columns]
    shown = list(range(len(first)))[:MOST_LINES]
    axes = [axis._replace(places=[axis.places[k] for k in shown]) for axis in axes]
    settings = [{name: first[name].iloc[k] for name in table.axes} for k in shown]
    words = [", ".join(f"{knob_title(n)} {choice_words(n, v)}" for n, v in setting.items()) for setting in settings]
    words = [
        f"{text}: {mean_words(columns[0], *first.loc[k, ['mean', 'sd']], int(first.loc[k, 'n']))}"
        for k, text in zip(shown, words, strict=True)
    ]
    shares = axes[len(table.axes)].places
    about = f"Parallel coordinates of {len(shown)} settings"
    draw = st.components.v2.component(
        bundle.PARALLEL,
        html=bundle.MANY_HTML[bundle.PARALLEL],
        css=bundle.css("many"),
        js=bundle.javascript("parallel"),
    )

    def hear() -> None:
        pick(settings[sent.picked_of(st.session_state["parallel"]["picked"], len(settings))])

    draw(data=parallel_lines(axes, shares, words, shown, about), key="parallel", on_picked_change=hear)
    more = f" The first {MOST_LINES:,} of {len(first):,} are drawn." if len(first) > MOST_LINES else ""
    st.caption(
        "A line is a setting, means over its seeds. Drag along an axis to choose a part of it; what lies outside fades "
        f"and stays. Click the axis to choose all of it again, a line for its runs.{more}"
    )


def list_columns(table: Table, score: str) -> list[str]:
    """The scores that parallel coordinates show: the chosen one, then the usual ones of the same images."""
    if not score:
        return []
    prefix = HELD_OUT if score.startswith(HELD_OUT) else TESTED
    usual = [f"{prefix}{name}" for name in (*shown_at("train"), "collapsed")]
    return [score, *(name for name in usual if name in table.frame and name != score)][:MOST_SCORES]


def knob_axis(name: str, values: Sequence[Any]) -> Coordinate:
    """Values of a knob along an axis, evenly, as they are few and chosen."""
    order = list(dict.fromkeys(values))
    if all(isinstance(value, int | float) for value in order):
        order = sorted(order)
    place = {value: i / (len(order) - 1) if len(order) > 1 else 0.5 for i, value in enumerate(order)}
    step = -(-len(order) // 12)
    ticks = [(place[value], choice_words(name, value)) for value in order[::step]]
    return Coordinate(knob_title(name), [place[value] for value in values], ticks)


def score_axis(column: str, means: Sequence[float]) -> Coordinate:
    low, high = bounds(means)
    unit = high - low or 1.0
    title = SCORES[column.removeprefix(HELD_OUT).removeprefix(TESTED)].title
    ticks = [(share, f"{low + share * (high - low):.3g}") for share in ((0.0, 0.5, 1.0) if high > low else (0.0,))]
    return Coordinate(title, [math.nan if math.isnan(m) else (m - low) / unit for m in means], ticks)


# ---- the table


def draw_table(table: Table, name: str, pick: Callable[[str], None]) -> None:
    """A row a run: to sort, to filter, to take away. `pick` is told the cell of a row that was chosen."""
    rows = filtered(table)
    columns = {axis: st.column_config.Column(knob_title(axis)) for axis in table.axes}
    columns |= {column: st.column_config.NumberColumn(score_title(column), format="%.4f") for column in table.scores}
    columns |= {"why": st.column_config.Column("why", width="medium")}
    shown = [*table.axes, "seed", "state", *order_scores(table), "seconds", "why", "cell"]
    event = st.dataframe(
        rows[[column for column in shown if column in rows]],
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * max(1, len(rows))),
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        key="many rows",
    )
    if (chosen := list(event.selection.rows)) and chosen[0] < len(rows):
        pick(str(rows["cell"].iloc[chosen[0]]))
    st.caption(
        f"{len(rows):,} of {len(table.frame):,} runs. A click on a head sorts, the magnifying glass searches, a row "
        "leads to its runs, above."
    )
    with st.container(horizontal=True):
        for ending, write in {"csv": write_csv, "parquet": write_parquet}.items():
            content = partial(as_bytes, partial(write, Table(rows, table.axes)))
            draw_download(f"Table (.{ending})", content, f"{name}.{ending}", f"many {ending}")


def order_scores(table: Table) -> list[str]:
    """The usual scores first."""
    usual = [f"{prefix}{name}" for prefix in (HELD_OUT, TESTED) for name in shown_at("train")]
    there = table.scores
    return [*(name for name in usual if name in there), *(name for name in there if name not in usual)]


def filtered(table: Table) -> "pd.DataFrame":
    """The rows that the visitor asks for: by state, and by the values of each knob."""
    rows = table.frame
    with st.container(horizontal=True):
        there = [state for state in STATES if (rows["state"] == state).any()]
        states = st.multiselect("State", there, key="many states", placeholder="any", width=220)
        values = {
            name: st.multiselect(
                knob_title(name),
                list(dict.fromkeys(rows[name])),
                format_func=lambda value, name=name: choice_words(name, value),
                key=f"many only {name}",
                placeholder="any",
                width=220,
            )
            for name in table.axes
        }
    if states:
        rows = rows[rows["state"].isin(states)]
    for name, wanted in values.items():
        if wanted:
            rows = rows[rows[name].isin(wanted)]
    return rows


def as_bytes(write: Callable[[BinaryIO], object]) -> bytes:
    """What `write` writes into a file."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


# ---- the sweep itself


def draw_management(sweep: Sweep, plan: Plan, table: Table, is_active: bool) -> None:
    """Add values and seeds, rename, delete, take away."""
    name = sweep.name
    if is_active:
        st.caption("While it is trained it can be stopped and taken away; what is added, renamed or deleted waits.")
    act = {"on_click": planner.take_sweep, "args": (plan,), "help": "Its knobs, axes and seeds, to vary them further"}
    st.button("Start from its plan", key="take its plan", icon=":material/arrow_back:", **act)
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Add to it", anchor=False)
        st.caption("What is there stays, only what is new is trained.")
        axes = {
            knob: st.text_input(
                f"Further values of {knob_title(knob)[:1].lower()}{knob_title(knob)[1:]}",
                key=f"add {knob} {name}",
                max_chars=2000,
                placeholder=f"beside {', '.join(map(value_words, values))}"[:80],
            )
            for knob, values in plan.axes.items()
        }
        seeds = st.text_input("Further seeds, like 3,4,5 (or 10: the seeds from 0 to 9)", key=f"add seeds {name}")
        act = {"on_click": add, "args": (sweep, axes, seeds), "disabled": is_active}
        st.button("Add", key="add to sweep", icon=":material/add:", **act)
    with right:
        st.markdown(f"**{as_code(name)}** · {size_words(table.bytes)}")
        new = st.text_input("New name", key=f"new name of {name}", max_chars=80, placeholder=name)
        act = {"on_click": rename, "args": (sweep,), "disabled": is_active or not new}
        st.button("Rename", key="rename sweep", icon=":material/edit:", **act)
        sure = st.checkbox(f"Delete it with all its {len(table.frame):,} runs", key=f"sure of {name}")
        act = {"on_click": delete, "args": (sweep,), "disabled": is_active or not sure}
        st.button("Delete", key="delete sweep", icon=":material/delete:", **act)
        too_large = table.bytes > MOST_ZIP
        told = f"`python -m semidml sweeps export {name} {name}.zip` packs one of this size." if too_large else ""
        draw_download(
            "Whole sweep (.zip)",
            partial(OnDisk, partial(folders.export_zip, sweep), sweep.path.parent),
            f"{name}.zip",
            "many zip",
            too_large,
            told,
        )
        if told:
            st.caption(told)


def draw_damaged(sweep: Sweep, error: ValueError) -> None:
    """What can be done with a sweep whose plan cannot be read."""
    frame.show_error(error)
    st.caption("Its runs are still there, in the folder of the sweep. Put plan.json right, or delete it.")
    sure = st.checkbox("Delete it with all its runs", key=f"sure of {sweep.name}")
    act = {"on_click": delete, "args": (sweep,), "disabled": not sure}
    st.button("Delete", key="delete sweep", icon=":material/delete:", **act)


def add(sweep: Sweep, axes: Mapping[str, str], seeds: str) -> None:
    """Adds what was typed, and says how many runs that is."""

    def act() -> None:
        more = dict(parse_axis(f"{knob}={text}") for knob, text in axes.items() if text.strip())
        further = parse_seeds(seeds) if seeds.strip() else []
        if not more and not further:
            raise ValueError("nothing was added: give further values or seeds")
        count = folders.extend(sweep, more, further)
        words = f"{count:,} runs are added to {as_code(sweep.name)}: **Go on** trains them."
        st.session_state["outcome"] = (True, words if count else "All of that was there already.")

    manage.perform(act, failed=f"{as_code(sweep.name)} could not be added to")


def rename(sweep: Sweep) -> None:
    new = st.session_state[f"new name of {sweep.name}"].strip()

    def act() -> None:
        st.session_state["shown sweep"] = folders.rename(sweep, new).name

    done, failed = f"It is called {as_code(new)} now.", f"{as_code(sweep.name)} could not be renamed"
    manage.perform(act, done, failed)


def delete(sweep: Sweep) -> None:
    done, failed = f"{as_code(sweep.name)} is deleted.", f"{as_code(sweep.name)} could not be deleted"
    if manage.perform(lambda: folders.delete(sweep), done, failed):
        st.session_state.pop("shown sweep", None)
        st.session_state["chosen cell"] = ""
