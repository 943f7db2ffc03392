"""The knobs: what is chosen, and the widgets that choose it."""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import streamlit as st

from semidml.config import DECIDING, FAMILIES, FEW, RunConfig, declared_knobs
from semidml.data import store
from semidml.methods import MODELS, corners_of, method_of, methods, models_of
from semidml.priors import PRIORS, given
from semidml.ui import words
from semidml.ui.frame import show_error
from semidml.words import value_words


def chosen_knobs() -> dict[str, Any]:
    """The knobs that the visitor or the link has set; all others follow the data set, the model and the formulas."""
    return st.session_state.setdefault("chosen knobs", {})


def chosen_config() -> RunConfig:
    """The RunConfig of all knobs; those without an effect keep their defaults. Raises ValueError in words."""
    return config_of(chosen_knobs())


def config_of(values: Mapping[str, Any]) -> RunConfig:
    """The RunConfig of these values, without those that have no effect here. Raises ValueError in words."""
    used = used_of(values)
    return RunConfig.of({name: value for name, value in values.items() if name in used})


def current_value(name: str) -> Any:
    """A knob's value now."""
    if name in chosen_knobs():
        return chosen_knobs()[name]
    return getattr(RunConfig.of({k: v for k, v in chosen_knobs().items() if k in FAMILIES}), name)


def data_names() -> list[str]:
    """Data sets that the web may name: those of the table, and uploads."""
    return [data.name for data in store.available()]


def set_knobs(values: Mapping[str, Any], run_id: str = "") -> None:
    """All knobs at once, as a run's config has them, of the run of that name if they come from one; call it before the
    widgets are drawn (in a callback)."""
    st.session_state["chosen knobs"] = dict(values)
    st.session_state["knobs' run"] = run_id
    note_moved()


def note_moved() -> None:
    """Knobs were moved here: what a link had to say of them is over."""
    st.session_state["link problems"] = []
    st.session_state["link's own knobs"] = False


def note_run(run_id: str) -> None:
    """The knobs as they are have become this run's."""
    st.session_state["knobs' run"] = run_id
    note_moved()


def run_of_knobs() -> str:
    """The name of the run that the knobs came from, whatever was turned since; "" where they came from none."""
    return st.session_state.get("knobs' run", "")


def choose_method() -> None:
    """Which method's models; each method keeps its own knobs."""
    here, titles = method_of(current_value("model")).name, {}
    for name, method in methods().items():
        titles[name] = f"{method.title[:1].upper()}{method.title[1:]}"
    if st.session_state.get("method") != here:
        st.session_state["method"] = here
    st.segmented_control(
        "Method",
        list(titles),
        default=here,
        format_func=titles.get,
        key="method",
        required=True,
        on_change=lambda: switch_method(st.session_state["method"]),
        help=" ".join(f"{titles[name]}: {method.summary}." for name, method in methods().items()),
    )


def switch_method(name: str) -> None:
    """To the knobs of a method as they were left; at first to its model that is the default, else its first."""
    here = method_of(current_value("model")).name
    if here == name:
        return
    kept, models = st.session_state.setdefault("methods' knobs", {}), models_of(name)
    usual = declared_knobs()["model"].default
    usual = {"model": usual if usual in models else next(iter(models))}
    kept[here] = dict(chosen_knobs()), run_of_knobs()
    set_knobs(*kept.pop(name, (usual, "")))


def choose_model() -> None:
    """Which of a method's models, where it has several: by the square's switches, or by name."""
    method = method_of(current_value("model")).name
    if corners_of(method):
        choose_corner()
    elif len(models_of(method)) > 1:
        draw_knob("model", options=models_of(method))


def choose_corner() -> None:
    """The latent model's two switches, decoder and prior; together they choose the model."""
    here = {"square decoder": MODELS[current_value("model")].facts["decoder"], "square prior": current_value("prior")}
    for key, value in here.items():
        if st.session_state.get(key) != value:
            st.session_state[key] = value
    st.segmented_control(
        "Decoder",
        [False, True],
        default=here["square decoder"],
        format_func=lambda on: "Decoder" if on else "No decoder",
        key="square decoder",
        required=True,
        on_change=take_corner,
        help="With a decoder the model must also be able to draw each image from its latent.",
    )
    st.segmented_control(
        "Prior",
        list(PRIORS),
        default=here["square prior"],
        format_func=lambda name: {"none": "None", "unit": "Unit", "gmm": "GMM", "vamp": "Vamp"}.get(name, name),
        key="square prior",
        required=True,
        on_change=take_corner,
        help="Where the latents should lie, whatever their labels: "
        + "; ".join(f"{entry.title}: {entry.summary}" for entry in PRIORS.values())
        + ".",
    )


def take_corner() -> None:
    """A switch of the square was moved."""
    decoder, prior = st.session_state["square decoder"], st.session_state["square prior"]
    corners = corners_of(method_of(current_value("model")).name)
    chosen_knobs().update(model=corners[decoder, prior != "none"], prior=prior)
    note_moved()


def draw_knob(
    name: str,
    *,
    label: str | None = None,
    options: Iterable[Any] | None = None,
    format_func: Callable[[Any], str] | None = None,
    slider: bool = False,
    horizontal: bool = False,
) -> Any:
    """The widget of a knob, and its value: a select box for names (with their titles), else a field, or a slider over
    `options` (a value outside of them, brought by a link, is put among them). `horizontal` draws names
    as a segmented control."""
    known, value = declared_knobs()[name], current_value(name)
    if name not in st.session_state or st.session_state[name] != value:
        st.session_state[name] = value
    # The value is also given as the default: a browser that was left behind by a quick second move starts from it.
    common: dict[str, Any] = {"key": name, "help": f"{known.help.capitalize()}."}
    common |= {"on_change": take_moved, "args": (name,)}
    label = label or words.knob_title(name)
    if slider:
        steps = sorted({*options, value})
        return st.select_slider(label, steps, value, format_func=format_func or value_words, **common)
    if known.choices or options is not None:
        names = list(options if options is not None else known.choices)
        names += [value] if value not in names else []
        titles = format_func or (lambda choice: words.entry_title(name, choice))
        if horizontal:
            return st.segmented_control(label, names, default=value, format_func=titles, required=True, **common)
        return st.selectbox(label, names, names.index(value), format_func=titles, **common)
    if known.form:
        more = {"placeholder": known.form, "max_chars": given.MOST_TEXT}
        return st.text_input(label, value, **more, **common)
    if known.kind is int:
        return st.number_input(label, int(known.low), int(known.high), value, step=1, **common)
    # The buttons of the field change the value's last digit.
    step = 10.0 ** -(len(f"{value:.10f}".rstrip("0").partition(".")[2]) if value else 2)
    return st.number_input(label, float(known.low), float(known.high), value, step=step, format="%g", **common)


def take_moved(name: str) -> None:
    """A widget was moved: remember it; with another data set, model or formulas, what suits these comes back."""
    move_knob(name, st.session_state[name])


def move_knob(name: str, value: Any) -> None:
    """Sets one knob; with another data set, model or formulas, what suits these comes back."""
    chosen_knobs()[name] = value
    note_moved()
    if name == "data":  # the words of this slider's choices, counts of labels, are now others: tell the browser
        st.session_state["pl"] = current_value("pl")
    for suited in {knob for entry in FAMILIES[name].values() for knob in entry.defaults} if name in FAMILIES else ():
        chosen_knobs().pop(suited, None)


def used_of(values: Mapping[str, Any]) -> set[str]:
    """Knobs that have an effect with these choices, whether or not the values of the knobs suit one another."""
    families = RunConfig.of({name: value for name, value in values.items() if name in FAMILIES})
    return families.model_copy(update={name: values[name] for name in DECIDING if name in values}).used()


def draw_more_knobs(above: Container[str], draw_first: Callable[[], None] | None = None) -> RunConfig | None:
    """The knobs that have an effect and are not drawn above, folded, after what `draw_first` draws; then the config of
    all, None after saying why they make none."""
    used = used_of(chosen_knobs())
    with st.expander("More knobs", icon=":material/tune:"):
        if draw_first:
            draw_first()
        for name, knob in declared_knobs().items():
            if knob.group != FEW and name in used and name not in above:
                draw_knob(name)
    try:
        return chosen_config()
    except ValueError as error:
        show_error(error)
        return None


def draw_ends(low: str, high: str) -> None:
    """Words at the two ends of the slider above."""
    st.html(
        f'<div style="display: flex; justify-content: space-between; margin-top: -1rem; font-size: 0.8rem; '
        f'opacity: 0.7"><span>{low}</span><span>{high}</span></div>'
    )
