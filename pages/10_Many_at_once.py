"""Many at once: vary one knob or two, with several seeds, and see where a latent space turns into another kind."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from semidml import tasks
from semidml.config import declared_knobs
from semidml.explore import points
from semidml.sweeps.plan import Plan
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import Table, gather, headline, prefix_of, read_table
from semidml.ui import cache, frame, links, manage, seeds
from semidml.ui.many import effort, planner, sections, sheet, shown
from semidml.ui.many.lattice import SEED, Lattice, choice_words, lay_out, list_floors, mean_words, score_title
from semidml.ui.words import as_code, knob_title

SECONDS_FLOORS = 0.1  # for which the sheet waits for them
READS = ("sweep", "score", "cell", *planner.PLACES, "seeds", "run")


def choose_score(table: Table) -> str:
    """The score that colours and curves show: the link's, the one chosen here, the usual one; "" without any."""
    state, offered = st.session_state, table.scores
    asked = links.asked_of_link("score", "score shown")
    if asked is not None and asked in offered:
        state["many score"] = asked
    elif asked is not None and offered:
        st.warning(f"This sweep has no score called {as_code(asked)}.", icon=":material/link_off:")
    if not offered:
        return ""
    if state.get("many score") not in offered:
        state["many score"] = headline(table) or offered[0]

    def take() -> None:
        state["many score"] = state["score box"]
        links.write_choice("score", "score shown", state["many score"])

    state["score box"] = state["many score"]
    order = sections.order_scores(table)
    return st.selectbox("Score", order, format_func=score_title, key="score box", on_change=take)


def choose_lattice(table: Table, plan: Plan, score: str) -> tuple[Lattice, int | None]:
    """Which knobs lie along the edges, what the others are, and which seed's maps are drawn (None: the first's)."""
    if not plan.axes:
        return lay_out(table, plan, score, SEED, "", {}), None
    names, fixed = list(plan.axes), {}
    columns, rows = names[0], names[1] if len(names) > 1 else ""
    if len(names) > 1:
        edges = {f"{knob_title(a)} × {knob_title(b)}": (a, b) for a in names for b in names if a != b}
        chosen = st.selectbox("Along bottom × side", list(edges), key="many edges")
        columns, rows = edges.get(chosen, (columns, rows))
    for name in names:
        if name not in (columns, rows):
            fixed[name] = st.selectbox(
                knob_title(name),
                plan.axes[name],
                format_func=lambda value, name=name: choice_words(name, value),
                key=f"many fixed {name}",
            )
    seed = None
    if len(plan.seeds) > 1:
        seed = st.selectbox("Maps of seed", plan.seeds, key="many seed")
    return lay_out(table, plan, score, columns, rows, fixed), seed


def read_floors(sweep: Sweep, plan: Plan, table: Table, score: str) -> tuple[Mapping[str, float], bool]:
    """(what needs no training, of the images that a score is of; whether it is still to come: it takes a while, in
    which the sheet is there). Nothing where the data are varied, or where no run draws the images of this score."""
    done = table.frame[(table.frame["state"] == "done") & (table.frame["cell"] != "")]
    drawn = done["evaluate_on"] if "evaluate_on" in plan.axes else [plan.base["evaluate_on"]] * len(done)
    done = done[[score.startswith(prefix_of(images)) for images in drawn]]
    if done.empty or {"data", "split"} & set(table.axes):
        return {}, False
    if not frame.is_warm():
        return {}, True
    run = sweep.run_of(done["cell"].iloc[0])
    key = ("floors", str(run.path), *points.stamp(run, "config.json"))
    task = tasks.find_task(key) or tasks.start_task(key, lambda _: cache.floors_or_reason(run)[0])
    return task.wait(SECONDS_FLOORS).result or {}, not task.done


def draw_sweep(sweep: Sweep, was_active: bool) -> None:
    """All that changes while a sweep is trained."""
    plan, table = sweep.plan(), read_table(sweep)
    shown.draw_head(sweep, table, was_active)
    with st.container(horizontal=True):
        score = choose_score(table)
        lattice, seed = choose_lattice(table, plan, score)
    pixels, floors_come = read_floors(sweep, plan, table, score)
    floors = list_floors(table, score, pixels)
    maps, maps_come = sheet.read_maps(sweep, lattice, seed)
    drawn = sheet.build_sheet(lattice, score, floors, chosen_cell(table), maps)
    sheet.draw_sheet(drawn, lambda number: sheet.choose_cell(lattice, number), sweep.name)
    if plan.axes:
        sections.draw_best(table, score)
    elif score:
        mean = gather(table, score).iloc[0]
        words = mean_words(score, mean["mean"], mean["sd"], int(mean["n"]))
        st.markdown(f"**{score_title(score)}**: {words}, mean and standard deviation over seeds")
    if drawn.chosen >= 0:
        with st.container(border=True):
            sheet.draw_chosen(sweep, lattice.settings[drawn.chosen], score)
    else:
        st.caption("Choose a cell, with the mouse or the arrow keys and Enter, for its runs.")
    draw_section(sweep, plan, table, lattice, score, floors, was_active)
    if (comes := floors_come or maps_come) != st.session_state.get("sheet comes", False):
        st.session_state["sheet comes"] = comes  # and so whether this part draws itself anew
        st.rerun()


def chosen_cell(table: Table) -> str:
    """The cell that was chosen here or by the link; "" where this sweep has none of that name, which is then said."""
    cell = st.session_state.get("chosen cell", "")
    if not cell or (table.frame["cell"] == cell).any():
        return cell
    if cell == st.query_params.get("cell"):
        st.warning(f"This sweep has no run called {as_code(cell)}.", icon=":material/link_off:")
    return ""


def draw_section(
    sweep: Sweep,
    plan: Plan,
    table: Table,
    lattice: Lattice,
    score: str,
    floors: list[tuple[float, str]],
    is_active: bool,
) -> None:
    """The part below the sheet that was asked for."""
    of_seeds = not plan.axes
    offered = sections.OF_SEEDS if of_seeds else sections.SECTIONS
    if st.session_state.get("many section") not in (None, *offered):
        st.session_state["many section"] = "Curves"  # of another kind of sweep
    section = st.segmented_control("More", offered, default="Curves", key="many section", label_visibility="collapsed")
    if section == "Scores":
        seeds.draw_table(seeds.siblings_of(sweep, plan, table))
    elif section == "Curves" and of_seeds:
        sections.draw_epochs(seeds.siblings_of(sweep, plan, table))
    elif section == "Curves":
        sections.draw_curves(lattice, score, floors)
    elif section == "Parallel coordinates":
        sections.draw_parallel(table, score, lambda values: choose_setting(table, values))
    elif section == "Table":
        sections.draw_table(table, sweep.name, choose_run)
    elif section == "This sweep":
        sections.draw_management(sweep, plan, table, is_active)


def choose_setting(table: Table, values: Mapping[str, Any]) -> None:
    """A line of the parallel coordinates was clicked."""
    rows = table.frame
    for name, value in values.items():
        rows = rows[rows[name] == value]
    choose_run(str(rows["cell"].iloc[0]), again=False)


def choose_run(cell: str, again: bool = True) -> None:
    """The cell of a row of the table was chosen."""
    if cell and st.session_state.get("chosen cell") != cell:
        st.session_state["chosen cell"] = cell
        links.write_choice("cell", "chosen cell", cell)
        if again:
            st.rerun()


def draw_recipe(plan: Plan) -> None:
    """The plan without the page."""
    base, axes = dict(plan.base), dict(plan.axes)
    frame.draw_recipe(
        plan.command(),
        "from semidml.sweeps.driver import train_sweep\n"
        "from semidml.sweeps.plan import Plan\n"
        "from semidml.sweeps.reuse import find_or_create\n"
        f"from semidml.sweeps.table import {'best, ' if axes else ''}gather, read_table\n\n"
        'if __name__ == "__main__":  # its workers import this file\n'
        f"    base = {base!r}\n    axes = {axes!r}\n"
        f'    plan = Plan.of({{"name": {plan.name!r}, "base": base, "axes": axes, "seeds": {plan.seeds!r}}})\n'
        "    sweep = find_or_create(plan)\n"
        "    for progress in train_sweep(sweep):\n        print(progress.ended, progress.all)\n"
        "    table = read_table(sweep)\n"
        '    print(gather(table, "test_knn_accuracy"))' + ("\n    print(best(table).words)" if axes else ""),
        linked=True,
    )


def draw_empty() -> None:
    with frame.draw_empty("No sweep has been trained here yet"):
        st.markdown("Choose a question and press **Train**: on the digits it takes some minutes.")


frame.begin_page("Many at once", [*READS, *declared_knobs()])
st.title("Many at once")
st.markdown(
    "Vary one knob or two and train every combination, with several seeds: where does a latent space turn from one "
    "kind into another?"
)
planner.read_link()
asked_cell = links.asked_of_link("cell", "chosen cell")
if asked_cell is not None:
    st.session_state["chosen cell"] = asked_cell
planner.draw_starts()
plan_column, sweep_column = st.columns([1, 3], gap="large")
with plan_column:
    button_place = planner.draw_axes()
    effort_place = st.container()
    planner.draw_base()
    chosen_plan = planner.choose_plan()
    with effort_place:
        effort.draw_start(chosen_plan, button_place)
    manage.draw_outcome()
with sweep_column:
    chosen_sweep = shown.pick_sweep()
    if chosen_sweep is None:
        draw_empty()
    else:
        try:
            whole = chosen_sweep.plan()
        except ValueError as error:
            sections.draw_damaged(chosen_sweep, error)
        else:
            is_going = shown.is_active(chosen_sweep)
            every = shown.seconds_between() if is_going or st.session_state.get("sheet comes") else None
            living = st.fragment(lambda: shown.follow(chosen_sweep, is_going, every, draw_sweep), run_every=every)
            living()
if chosen_plan is not None:
    planner.write_link(chosen_plan)
    draw_recipe(chosen_plan)
