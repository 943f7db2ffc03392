"""A plan beside the sweeps that are there: it goes on in the one of its name which varies the same about the same."""

from semidml.sweeps.plan import Plan
from semidml.sweeps.sweep import Sweep, create_sweep, extend, open_sweep

MOST_NUMBERS = 100  # sweeps whose names differ in their number alone


def find_sweep(plan: Plan) -> Sweep | None:
    """The sweep in which a plan goes on: of its name, varying the same knobs about the same setting. None without one
    of its name.
    Raises: ValueError for a sweep of this name that is another one, or is damaged."""
    try:
        sweep = open_sweep(plan.name)
    except ValueError:
        return None
    known = sweep.plan()
    if not known.same_setting(plan):
        raise ValueError(
            f"there is already a sweep called {plan.name}, of another plan ({known.command()}): give this one another "
            "name"
        )
    return sweep


def with_free_name(plan: Plan) -> Plan:
    """The plan under its name or, where another sweep has that, under the first one with a number that is free or is of
    a sweep in which it goes on.
    Raises: ValueError when all these are taken."""
    for name in (plan.name, *(f"{plan.name[:70]}-{number}" for number in range(2, MOST_NUMBERS))):
        named = plan.model_copy(update={"name": name})
        try:
            find_sweep(named)
        except ValueError:  # of another plan, or damaged, which is said where it is shown
            continue
        return named
    raise ValueError(f"there are a hundred sweeps called {plan.name}: delete some")


def merge_plan(plan: Plan) -> Plan:
    """What is trained when a plan is: its cells, and those of the sweep in which it goes on.
    Raises: ValueError as `find_sweep`, and where these are too many."""
    sweep = find_sweep(plan)
    if sweep is None:
        return plan
    known = sweep.plan()
    return known if _has_all(known, plan) else known.extended(plan.axes, plan.seeds)


def _has_all(known: Plan, plan: Plan) -> bool:
    """Whether a plan has the values and seeds of another one: then nothing is made anew."""
    return set(plan.seeds) <= set(known.seeds) and all(
        set(plan.axes[name]) <= set(known.axes[name]) for name in plan.axes
    )


def find_or_create(plan: Plan) -> Sweep:
    """The sweep of a plan: a new one, or the one in which it goes on, with what that has not.
    Raises: ValueError as `merge_plan`, when its data are not here, or while that sweep is being trained."""
    sweep = find_sweep(plan)
    if sweep is None:
        return create_sweep(plan)
    if merge_plan(plan).count > sweep.plan().count:
        extend(sweep, plan.axes, plan.seeds)
    return sweep
