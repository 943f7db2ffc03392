"""The frame around every page, the widgets made from RunConfig, and the caches.

Beside pages/ and app.py this package is the only place that imports Streamlit.

A page begins with `page(title)`. Heavy modules load where they are used: the first page is out before torch is.

    ui.page("Train")                       menu, what runs now, footer
    ui.read_link()                         knobs out of the link; what is wrong with it is said
    ui.knob("latent_dim")                  a widget
    config = ui.config()                   the RunConfig of all knobs; raises ValueError in words
    ui.write_link(config)                  the link says what the knobs say
"""

import base64
import gc
import html
import io
import itertools
import sys
import threading
import time
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml.config import DECIDING, FAMILIES, RunConfig, knobs, seen_labels, shown
from semidml.lessons import LESSONS
from semidml.methods import METHODS, MODELS, corners_of, method_of, methods, models_of
from semidml.priors import given
from semidml.score_table import SCATTER, SCORES

if TYPE_CHECKING:
    from semidml.priors.density import Regions
    from semidml.record import Record
    from semidml.runs import Run, Status

ROOT = Path(__file__).resolve().parents[2]
MENU = {
    "Play": [
        ("app.py", "Home", ":material/home:"),
        ("pages/1_Train.py", "Train", ":material/play_circle:"),
        ("pages/2_Explore.py", "Explore", ":material/travel_explore:"),
        ("pages/8_Compare.py", "Compare", ":material/compare:"),
    ],
    "Learn": [
        *((lesson.page, lesson.menu, ":material/school:") for lesson in LESSONS.values()),
        *((its.facts["page"], its.title, ":material/workspaces:") for its in METHODS.values() if "page" in its.facts),
        ("pages/4_Prior.py", "The prior", ":material/bubble_chart:"),
    ],
    "Data": [("pages/3_Data.py", "Data", ":material/image:")],
}
TRAIN = "pages/1_Train.py"
EXPLORE = "pages/2_Explore.py"
DATA = "pages/3_Data.py"
PRIOR = "pages/4_Prior.py"
SIDEBAR = 240  # pixels wide; folded away on a phone
HEAD_START = 2.0  # seconds that the first page has the processor to itself, before two processes load torch
SECONDS_OLD = 10.0  # for which a request may carry an address that was replaced since
SECONDS_IDLE = 5.0  # between two looks at what runs, when nothing on the page depends on it
PICTURE = 136  # pixels across, of an image that is looked at
CAPTION = "font-size: 0.875rem; text-align: center; opacity: 0.65; overflow-wrap: anywhere"
SQUARES = "image-rendering: pixelated; display: block"  # the look of a picture whose pixels are to be seen
MOST_RECORDS = 200  # of a curve
NAMES = {
    "data": "Data",
    "model": "Model",
    "l2": "L2 of the clustering head",
    "pl": "Labels seen",
    "latent_dim": "Latent dimensions",
    "lr": "Learning rate",
    "lr_decay": "Learning rate decay",
    "kl_samples": "KL samples",
    "component_log_var": "Component log-variance",
    "beta_warmup_epochs": "Beta warm-up epochs",
    "pseudo_init": "Pseudo-inputs start from",
}
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding: 2.6rem 2.2rem 3rem; max-width: 1500px;}
[data-testid="stSidebarUserContent"] {padding-left: 1rem; padding-right: 1rem;}
[data-testid="stSidebarContent"] [data-testid="stVerticalBlock"] {gap: 0.45rem;}
h1 {font-size: 1.9rem !important; padding-bottom: 0.2rem !important;}
h2 {font-size: 1.3rem !important; padding-top: 1.2rem !important;}
h3 {font-size: 1.05rem !important;}
[data-testid="stMetricValue"] {font-size: 1.5rem;}
[data-testid="stButtonGroup"] button {padding-left: 0.6rem; padding-right: 0.6rem;}
@media (max-width: 640px) {[data-testid="stMainBlockContainer"] {padding-left: 1rem; padding-right: 1rem;}}
</style>"""


# ---- the frame


def page(title: str, icon: str = ":material/scatter_plot:") -> None:
    """The first call of every page: title of the tab, menu, what runs now, footer. Writes no heading."""
    st.set_page_config(
        page_title=title if title == "semidml" else f"{title} · semidml",
        page_icon=icon,
        layout="wide",
        initial_sidebar_state=SIDEBAR,
    )
    st.session_state["arrived"] = st.session_state.get("page") != title  # from another page, or in a new tab
    st.session_state["page"] = title
    st.html(STYLE)
    warm_up()
    _whole_pandas()
    with st.sidebar:
        st.markdown("### semidml")
        for group, links in MENU.items():
            there = [link for link in links if (ROOT / link[0]).exists()]
            if there:
                st.caption(group)
            for path, label, its_icon in there:
                st.page_link(path, label=label, icon=its_icon)
        st.space("small")
        _now()


@st.fragment(run_every=SECONDS_IDLE)
def _now() -> None:
    """What runs now, as a link to Train; below it, quietly, device, data folder and quota."""
    from semidml import runs
    from semidml.data import store

    running = running_runs()
    for run in running:
        st.page_link(
            TRAIN,
            label=f"Epoch {run.status().epoch} of {run.status().epochs}",
            help=setting(run.config()),
            icon=":material/progress_activity:",
            query_params={"run": run.id},
        )
    if not running:
        st.caption("Nothing runs now.")
    try:
        quota = runs.size_words(runs.quota())
    except ValueError as error:
        trouble(error)
        quota = "an unknown quota"
    st.caption(
        f"Device: {device_name()}  \nData: `{short(store.data_folder())}`  \n"
        f"Runs: {runs.size_words(runs.usage())} of {quota}"
    )


def device_name() -> str:
    """The device that `auto` takes, once torch is loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not is_warm():  # not there, or half of it
        return "looking …"
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple GPU" if torch.backends.mps.is_available() else "CPU"


@st.cache_resource(max_entries=1)
def warm_up() -> threading.Thread:
    """Loads torch in a thread of the app and starts the warm worker, once a process. Returns the thread."""

    def work() -> None:
        from semidml import jobs

        time.sleep(HEAD_START)
        jobs.jobs().warm()
        import plotly.graph_objects  # noqa: F401
        import torch  # noqa: F401

        gc.collect()
        gc.freeze()  # Streamlit collects all garbage after each run of a page: 0.35 s with torch's objects, n = 50 runs

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def _whole_pandas() -> None:
    """Waits until pandas is imported whole: Plotly looks into it as soon as another thread has begun to import it, and
    then fails on the missing half."""
    import pandas  # noqa: F401


def is_warm() -> bool:
    """Whether torch is loaded in this process."""
    return not warm_up().is_alive()


def foot(command: str, python: str, *, linked: bool = False) -> None:
    """The same without the page: the command line and the Python that do what the page did. linked: so does its
    address."""
    with st.expander("The same without the page", icon=":material/terminal:"):
        if linked:
            st.caption("The address of this page is a link to this setting.")
        st.code(command, language="bash", wrap_lines=True)
        st.code(python, language="python", wrap_lines=True)


def trouble(error: Exception | str) -> None:
    """An error's own words, as they are."""
    st.error(inert(str(error)), icon=":material/error:")


def inert(text: str) -> str:
    """Words that may hold a stranger's, for Markdown: no image in it comes alive, and no link but one that shows where
    it leads."""
    return text.replace("[", "\\[")


def plain(text: str) -> str:
    """A visitor's text as code in Markdown, cut to a line."""
    return "`" + text[:60].replace("`", "'").replace("\n", " ") + "`"


# ---- knobs


def title(name: str) -> str:
    """A knob's name in words."""
    return NAMES.get(name, name.replace("_", " ").capitalize())


def entry_title(family: str, name: str) -> str:
    """The title of an entry of a family's table, or the name itself (an upload's, a literal's)."""
    entry = FAMILIES.get(family, {}).get(name)
    return entry.title if entry else name


def chosen() -> dict[str, Any]:
    """The knobs that the visitor or the link has set; all others follow the data set, the model and the formulas."""
    return st.session_state.setdefault("chosen knobs", {})


def config() -> RunConfig:
    """The RunConfig of all knobs; those without an effect keep their defaults. Raises ValueError in words."""
    return config_of(chosen())


def config_of(values: Mapping[str, Any]) -> RunConfig:
    """The RunConfig of these values, without those that have no effect here. Raises ValueError in words."""
    used = used_of(values)
    return RunConfig.of({name: value for name, value in values.items() if name in used})


def current(name: str) -> Any:
    """A knob's value now."""
    if name in chosen():
        return chosen()[name]
    return getattr(RunConfig.of({k: v for k, v in chosen().items() if k in FAMILIES}), name)


def data_names() -> list[str]:
    """Data sets that the web may name: those of the table, and uploads."""
    from semidml.data import store

    return [there.name for there in store.available()]


def read_link() -> None:
    """Sets the knobs as the link says, if it is not the one that this page wrote; a link is a whole setting: knobs
    that it does not name take their defaults. What is wrong with it stays on the page until a knob moves."""
    known = knobs()
    raw = {name: st.query_params[name] for name in st.query_params if name in known}
    if raw and is_news("knobs", raw):
        values, problems = _parsed(raw)
        st.session_state["chosen knobs"] = values
        st.session_state["link problems"] = problems
        wrote("knobs", raw)
    for problem in st.session_state.get("link problems", []):
        st.warning(f"The link was not followed in one place: {problem}.", icon=":material/link_off:")


def _parsed(raw: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """(knobs that are valid, sentences on those that are not)."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in raw.items():
        try:
            if name == "data" and text not in data_names():
                raise ValueError(f"data must be one of {', '.join(data_names())}, got {text[:60]!r}")
            model = {"model": raw["model"]} if name == "prior" and "model" in raw else {}
            values[name] = getattr(RunConfig.of(model | {name: text}), name)
        except ValueError as error:
            problems.append(str(error))
    return values, problems


def write_link(config: RunConfig) -> None:
    """Puts the knobs into the link, under the names of the command line; other parameters stay."""
    link = link_of(config)
    others = {name: st.query_params[name] for name in st.query_params if name not in knobs()}
    if dict(st.query_params) != others | link:
        st.query_params.from_dict(others | link)
    wrote("knobs", link)


def is_news(part: str, value: object) -> bool:
    """Whether what the address says came from outside. A request may carry an address that is some writes old, so what
    this page wrote itself within the last seconds is no news, unless the visitor has just come from elsewhere."""
    known = st.session_state.setdefault("links written", {}).get(part, [])
    own = [old for old, until in known if until is None or time.time() < until]
    return value not in own or (bool(st.session_state.get("arrived")) and value != own[-1])


def wrote(part: str, value: object) -> None:
    """Notes what the address says from now on."""
    written = st.session_state.setdefault("links written", {})
    known = [(old, until) for old, until in written.get(part, []) if until is None or time.time() < until]
    if not known or known[-1][0] != value:
        until = time.time() + SECONDS_OLD
        known = [(old, until if end is None else end) for old, end in known if old != value]
        written[part] = [*known, (value, None)]


def link_of(config: RunConfig) -> dict[str, str]:
    """Query parameters that give this config."""
    return {"data": config.data, "model": config.model} | {
        name: shown(value) for name, value in config.changed().items()
    }


def set_knobs(values: Mapping[str, Any]) -> None:
    """All knobs at once, as a run's config has them; call it before the widgets are drawn (in a callback)."""
    st.session_state["chosen knobs"] = dict(values)
    st.session_state["link problems"] = []


def method() -> None:
    """Which method's models; each method keeps its own knobs."""
    here, known = method_of(current("model")).name, methods()
    if st.session_state.get("method") != here:
        st.session_state["method"] = here
    st.segmented_control(
        "Method",
        list(known),
        default=here,
        format_func=lambda name: known[name].title[:1].upper() + known[name].title[1:],
        key="method",
        required=True,
        on_change=lambda: switch_method(st.session_state["method"]),
        help=" ".join(f"{its.title[:1].upper()}{its.title[1:]}: {its.summary}." for its in known.values()),
    )


def switch_method(name: str) -> None:
    """To the knobs of a method as they were left; at first to its model that is the default, else its first."""
    here = method_of(current("model")).name
    if here == name:
        return
    kept, models = st.session_state.setdefault("methods' knobs", {}), models_of(name)
    usual = knobs()["model"].default
    kept[here] = dict(chosen())
    set_knobs(kept.pop(name, {"model": usual if usual in models else next(iter(models))}))


def model_of_method() -> None:
    """Which of a method's models, where it has several: by the square's switches, or by name."""
    method = method_of(current("model")).name
    if corners_of(method):
        square()
    elif len(models_of(method)) > 1:
        knob("model", options=models_of(method))


def square() -> None:
    """The latent model's two switches, decoder and prior; together they choose the model."""
    from semidml.priors import PRIORS

    here = {"square decoder": MODELS[current("model")].facts["decoder"], "square prior": current("prior")}
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
        on_change=_squared,
        help="With a decoder the model must also be able to draw each image from its latent.",
    )
    st.segmented_control(
        "Prior",
        list(PRIORS),
        default=here["square prior"],
        format_func=lambda name: {"none": "None", "unit": "Unit", "gmm": "GMM", "vamp": "Vamp"}.get(name, name),
        key="square prior",
        required=True,
        on_change=_squared,
        help="Where the latents should lie, whatever their labels: "
        + "; ".join(f"{entry.title}: {entry.summary}" for entry in PRIORS.values())
        + ".",
    )


def _squared() -> None:
    """A switch of the square was moved."""
    decoder, prior = st.session_state["square decoder"], st.session_state["square prior"]
    corners = corners_of(method_of(current("model")).name)
    chosen().update(model=corners[decoder, prior != "none"], prior=prior)
    st.session_state["link problems"] = []


def knob(
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
    known = knobs()[name]
    value = current(name)
    if st.session_state.get(name) != value or name not in st.session_state:
        st.session_state[name] = value
    # The value is also given as the default: a browser that was left behind by a quick second move starts from it.
    common: dict[str, Any] = {"key": name, "help": known.help.capitalize() + ".", "on_change": _moved, "args": (name,)}
    label = label or title(name)
    if slider:
        return st.select_slider(label, sorted({*options, value}), value, format_func=format_func or shown, **common)
    if known.choices or options is not None:
        names = list(options if options is not None else known.choices)
        names += [value] if value not in names else []
        titles = format_func or (lambda choice: entry_title(name, choice))
        if horizontal:
            return st.segmented_control(label, names, default=value, format_func=titles, required=True, **common)
        return st.selectbox(label, names, names.index(value), format_func=titles, **common)
    if known.form:
        more = {"placeholder": known.form, "max_chars": given.MOST_TEXT}
        return st.text_input(label, value, **more, **common)
    if known.kind is int:
        return st.number_input(label, int(known.low), int(known.high), value, step=1, **common)
    return st.number_input(label, float(known.low), float(known.high), value, step=_step(value), format="%g", **common)


def _step(value: float) -> float:
    """A tenth of the value's power of ten, so that the buttons of a number field do something sensible."""
    power = len(f"{value:.10f}".rstrip("0").partition(".")[2]) if value else 2
    return float(10.0**-power)


def _moved(name: str) -> None:
    """A widget was moved: remember it; with another data set, model or formulas, what suits these comes back."""
    chosen()[name] = st.session_state[name]
    st.session_state["link problems"] = []
    if name == "data":  # the words of this slider's choices, counts of labels, are now others: tell the browser
        st.session_state["pl"] = current("pl")
    for suited in {knob for entry in FAMILIES[name].values() for knob in entry.defaults} if name in FAMILIES else ():
        chosen().pop(suited, None)


# ---- words


def values_of(config: RunConfig) -> dict[str, Any]:
    """What to choose to get this config: data, model, and what differs from what suits them."""
    return {"data": config.data, "model": config.model} | config.changed()


def used() -> set[str]:
    """Knobs that have an effect with the choices made now."""
    return used_of(chosen())


def used_of(values: Mapping[str, Any]) -> set[str]:
    """Knobs that have an effect with these choices, whether or not the values of the knobs suit one another."""
    families = RunConfig.of({name: value for name, value in values.items() if name in FAMILIES})
    return families.model_copy(update={name: values[name] for name in DECIDING if name in values}).used()


def changes(before: RunConfig, after: RunConfig) -> str:
    """What changed between two settings, for Markdown: `alpha 0.02 → 0.5, seed 0 → 1`; "" when nothing that has an
    effect did."""
    names = before.used() | after.used()
    return ", ".join(
        f"{title(name).lower() if name != 'pl' else 'labels seen (%)'} {_told(name, before)} → {_told(name, after)}"
        for name in knobs()
        if name in names and getattr(before, name) != getattr(after, name)
    )


def _told(name: str, config: RunConfig) -> str:
    return inert(entry_title(name, brief(getattr(config, name)))) if name in config.used() else "none"


def brief(value: Any) -> str:
    """A value in a list of settings: a long text is cut, an empty one is a dash."""
    text = shown(value)
    return f"{text[:23]}…" if len(text) > 24 else text or "–"


def setting(config: RunConfig) -> str:
    """A config in words: `MNIST, 60 labels, DML autoencoder`."""
    data, family = inert(entry_title("data", config.data)), "variant" if "variant" in config.used() else "model"
    what = entry_title(family, getattr(config, family))
    if not MODELS[config.model].facts["labels"]:
        return f"{data}, no labels, {what}"
    try:
        seen = seen_labels(config.pl, official_rows(config.data, config.split))
        labels = "all labels" if config.pl == 100 else "1 label" if seen == 1 else f"{seen:,} labels"
    except ValueError:
        labels = f"{shown(config.pl)} % of the labels"
    prior = "" if config.prior == "none" else f", {entry_title('prior', config.prior)}"
    return f"{data}, {labels}, {what}{prior}"


def official_rows(name: str, split: str = "official") -> int:
    """Rows of the training set that pl is a percentage of. Raises ValueError when the data set is not there."""
    from semidml.data import store

    return store.training(name, split, "test").official


def data_title(name: str) -> str:
    """A data set in a list. The same at any time, as in `run_words`, so not whether it has been fetched."""
    return entry_title("data", name)


def is_here(name: str) -> bool:
    """Whether the data set can be loaded without a download."""
    from semidml.data import store

    return any(there.name == name and there.here for there in store.available())


def percent(value: float | None) -> str:
    """A share as a percentage: `93.1 %`; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def score_words(name: str, value: float | None) -> str:
    """A score as it is read: shares in percent, others to two digits; a dash where there is none."""
    if value is None:
        return "–"
    score = SCORES[name]
    if score.unit == "share":
        return percent(value)
    if score.unit == "yes or no":
        return "yes" if value else "no"
    return f"{value:.{0 if score.unit == 'count' else score.digits}f}"


def scattered(name: str, scores: Mapping[str, Any]) -> str:
    """A score as it is read, and its standard deviation where it is known: `0.48 ± 0.01`, `91.0 ± 0.4 %`."""
    value, scatter = scores.get(name), scores.get(f"{name}{SCATTER}")
    if value is None or scatter is None:
        return score_words(name, value)
    if SCORES[name].unit == "share":
        return f"{100 * value:.1f} ± {100 * scatter:.1f} %"
    return f"{score_words(name, value)} ± {max(scatter, 0.0):.{2 if scatter >= 0.005 else 3}f}"


def remarks(names: Iterable[str], notes: Mapping[str, str]) -> list[str]:
    """What there is to know of these scores, for Markdown: each remark once, with the scores that it is of."""
    its: dict[str, list[str]] = {}
    for name in names:
        if name in notes:
            its.setdefault(notes[name], []).append(SCORES[name].title)
    return [f"{', '.join(titles)}: {inert(note)}" for note, titles in its.items()]


def seconds_words(seconds: float) -> str:
    """`12 s`, `3 min`, `2.1 h`."""
    if seconds < 99:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def age_words(then: float) -> str:
    """`3 min ago`; a date when it is longer ago than a day."""
    ago = time.time() - then
    if ago < 60:
        return "just now"
    if ago < 86400:
        return f"{ago / 60:.0f} min ago" if ago < 5400 else f"{ago / 3600:.0f} h ago"
    return time.strftime("%-d %b %Y", time.localtime(then))


def run_words(run: "Run") -> str:
    """A run in a list: setting, what else is unusual about it, when it was made, the end of its name. The same at any
    time: a select box knows its choices by their words, and would lose one whose words change."""
    try:
        config = run.config()
        unusual = [f"{title(name).lower()} {brief(value)}" for name, value in config.changed().items() if name != "pl"]
        name = " · ".join([setting(config), *([", ".join(unusual[:3])] if unusual else [])])
    except ValueError:
        name = "damaged"
    when = "shipped" if run.is_shipped else time.strftime("%-d %b, %H:%M", time.localtime(run.created()))
    return f"{name} · {when} · {run.id if len(run.id) < 20 or run.is_shipped else run.id[-4:]}"


def difference_words(name: str, before: float | None, after: float | None) -> str:
    """`+1.2` (points of a percentage) or `-0.013`; a dash when one is missing."""
    if before is None or after is None:
        return "–"
    if SCORES[name].unit == "count":
        return f"{after - before:+.0f}"
    if SCORES[name].unit == "share":
        return f"{round(100 * (after - before), 1):+.1f} points"
    return f"{round(after - before, 3):+.3f}"


def state_words(run: "Run", status: "Status") -> str:
    """Where a run stands, for the reader."""
    if status.state == "queued":
        from semidml import jobs

        return "Waiting for its turn" if jobs.jobs().ready else "Starting the process that trains: some seconds, once"
    seconds = (status.latest or {}).get("seconds", 0)
    at = f"epoch {status.epoch} of {status.epochs}"
    if status.state == "running":
        if status.epoch == status.epochs:
            return f"Scoring all images ({seconds:.0f} s of training)"
        return f"Training: {at}, {seconds:.0f} s"
    if status.state == "done":
        seconds = (run.metrics() or {}).get("seconds", seconds)
    ends = {"done": "Done", "stopped": "Stopped", "interrupted": "Interrupted", "failed": "Failed"}
    return f"**{ends[status.state]}** · {at}" + (f" · {seconds_words(seconds)} of training" if seconds else "")


def alarms(status: "Status") -> list[str]:
    """What is wrong with the newest points, in sentences, for Markdown."""
    return [inert(alarm) for alarm in (status.latest or {}).get("alarms", [])]


def reason(status: "Status") -> str:
    """Why a run is in its state, with a capital letter at the start, for Markdown."""
    return inert(status.reason[:1].upper() + status.reason[1:])


def python_of(config: RunConfig) -> str:
    """The Python that trains this config."""
    values = ", ".join(f"{name}={value!r}" for name, value in values_of(config).items())
    return (
        "from semidml.config import RunConfig\nfrom semidml.data import store\nfrom semidml.train import fit\n\n"
        f"config = RunConfig({values})\n"
        "training = fit(config, store.load(config.data))\n"
        "for tick in training:\n    print(tick.epoch, tick.terms, tick.scores)\n"
        "print(training.finish())"
    )


def short(path: Path) -> str:
    """A path with ~ for the home folder."""
    home = str(Path.home())
    return str(path).replace(home, "~", 1) if str(path).startswith(home) else str(path)


@st.cache_data(max_entries=64, ttl=30, show_spinner=False)
def estimate(config: RunConfig) -> str:
    """How long this config takes here, from this machine's finished runs; says so when nothing like it was measured."""
    from semidml import runs

    alike = ("data", "model", "prior", "variant", "encoder", "augment", "mining", "split")
    times: list[tuple[bool, float]] = []
    for run in runs.list_runs(include_shipped=False)[:200]:
        if run.status().state != "done":
            continue
        other, seconds = run.config(), (run.metrics() or {}).get("seconds")
        if seconds and all(getattr(other, name) == getattr(config, name) for name in alike):
            steps = other.epochs / other.batch_size
            times.append((other.batch_size == config.batch_size, seconds / steps))
    if not times:
        return "How long it takes was not measured here yet."
    same = [seconds for is_same, seconds in times if is_same] or [seconds for _, seconds in times]
    seconds = median(same) * config.epochs / config.batch_size
    runs_words = "a finished run" if len(same) == 1 else f"{len(same)} finished runs"
    return f"About {seconds_words(seconds)} of training on this machine, going by {runs_words}."


# ---- runs, data and models, cached


def running_runs() -> list["Run"]:
    """Runs of this folder that are running now, whoever started them."""
    from semidml import runs

    return [run for run in runs.list_runs(include_shipped=False) if run.status().state == "running"]


def look(run: "Run") -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(newest frame, rows) of a run; None before its first frame. Raises ValueError when they are damaged."""
    try:
        frame = run.live()
        return None if frame is None else (frame, rows(run.id))
    except FileNotFoundError:  # not begun, or deleted between two looks
        return None


def dataset(name: str) -> Any:
    """The Dataset of that name, loaded (not downloaded); `store` keeps the last two until their files change. Shared by
    all visitors: don't change it. Raises ValueError when it is not here."""
    from semidml.data import store

    return store.load(name)


kept_of_runs: list[Any] = []  # the caches that `until_remade` made


def until_remade(cache: Callable[[Callable], Callable]) -> Callable[[Callable], Callable]:
    """What a function of a run's id, and perhaps of more, gives is kept in this cache until the id means another run,
    whoever made it: a page, or the command line."""

    def decorate(make: Callable) -> Callable:
        @wraps(make)
        def of(made: tuple, *given: Any) -> Any:
            return make(*given)

        kept = cache(of)

        @wraps(make)
        def ask(run_id: str, *given: Any) -> Any:
            return kept(_made(run_id), run_id, *given)

        kept_of_runs.append(kept)
        return ask

    return decorate


def _made(run_id: str) -> tuple:
    from semidml import explore, runs

    return explore.stamp(runs.get(run_id), "config.json")


def forget_runs() -> None:
    """Drop what is kept of runs, of which some were deleted, renamed or imported."""
    for kept in kept_of_runs:
        kept.clear()


def model(run: "Run") -> Any:
    """A run's model with its newest weights, on the CPU, in evaluation mode. Shared by all visitors. Raises ValueError
    when it has none."""
    from semidml import explore

    return _model_of(run.id, explore.weights_stamp(run))


@st.cache_resource(max_entries=4, show_spinner="Loading the model …")
def _model_of(run_id: str, stamp: tuple) -> Any:
    from semidml import runs

    return runs.get(run_id).model()


@until_remade(st.cache_data(max_entries=16, show_spinner=False))
def rows(run_id: str) -> dict[str, Any]:
    """Which rows a run's map draws: see `Training.rows`."""
    from semidml import runs

    return runs.get(run_id).rows()


@until_remade(st.cache_data(max_entries=128, show_spinner=False))
def frame(run_id: str, epoch: int) -> dict[str, Any]:
    """What a run's map draws after an epoch: see `Training.frame`."""
    from semidml import runs

    return runs.get(run_id).frame(epoch)


@until_remade(st.cache_data(max_entries=16, show_spinner=False))
def originals(run_id: str) -> Any:
    """The images whose reconstructions a run's frames hold: uint8 (m, C, H, W). Raises ValueError if not here."""
    from semidml import explore, runs

    run = runs.get(run_id)
    its_rows = rows(run_id)
    return explore.pictures(explore.splits_of(run, dataset(run.config().data)), its_rows, its_rows["shown"])


@until_remade(st.cache_data(max_entries=16, show_spinner=False))
def floors(run_id: str) -> dict[str, float]:
    """What needs no training, on the rows that a run's map draws: chance, kNN on raw pixels, those of large images
    reduced (`explore.small_pictures`). See `evaluate.floors`; `floors_or_why` says what it raises."""
    import numpy as np

    from semidml import evaluate, explore, runs

    run = runs.get(run_id)
    its_rows, data = rows(run_id), explore.splits_of(run, dataset(run.config().data))
    train, test = np.flatnonzero(its_rows["split"] == 0), np.flatnonzero(its_rows["split"] == 1)
    images, labels = explore.small_pictures(data, its_rows), its_rows["labels"]
    seen = np.flatnonzero(its_rows["seen"][train])
    return evaluate.floors(images[train], labels[train], seen, images[test], labels[test], len(data.class_names))


def floors_or_why(run: "Run") -> tuple[dict[str, float], str]:
    """(the `floors` of a run, ""), or ({}, why there are none, in words): its data set may have changed since."""
    try:
        return floors(run.id), ""
    except ValueError as error:
        return {}, f"Chance and raw pixels are not known: {inert(str(error))}"


def pixels_words(run: "Run") -> str:
    """Which pixels the floors of a run are of: `raw pixels`, of large images `pixels reduced to 32 x 32`."""
    from semidml import explore

    shape = (run.details().get("data") or {}).get("shape") or (1, 1, 1)
    height, width = shape[1:]
    times = explore.times_smaller(height, width, explore.SMALL_SIDE)
    return "raw pixels" if times == 1 else f"pixels reduced to {width // times} x {height // times}"


def scores_of(run: "Run") -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """(scores before training, scores now, why some are not known) of a run: now are the final ones once it is done,
    with their remarks under "notes"."""
    scored = [record.scores for record in run.history() if record.scores]
    final = run.metrics()
    now = final or (scored[-1] if scored else {})
    return scored[0] if scored else {}, now, (final or {}).get("failed", {})


def score_row(
    names: Iterable[str],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    failed: Mapping[str, str],
    *,
    always: Container[str] = (),
) -> None:
    """Scores side by side with their scatter, and what they were before training, where that was scored; a dash for one
    that is not known (yet). Below, why some could not be computed, and what there is to know of others ("notes" of
    now). Of those that are neither known nor in `always`, none."""
    there = [name for name in names if name in always or name in now or name in before]
    with st.container(horizontal=True):
        for name in there:
            st.metric(
                SCORES[name].title,
                scattered(name, now),
                f"before {score_words(name, before.get(name))}" if name in before or not before else None,
                delta_color="off",
                delta_arrow="off",
                help=SCORES[name].summary + (f" Not computed: {inert(failed[name])}." if name in failed else ""),
                width=190 if now.get(f"{name}{SCATTER}") is not None else 150,
            )
    for icon, words in (("error", failed), ("info", now.get("notes", {}))):
        for remark in remarks(there, words):
            st.caption(f":material/{icon}: {remark}")


def thinned(history: Sequence["Record"]) -> list["Record"]:
    """The records that a curve draws of a long training: every second, third, ..., and the newest."""
    every = max(1, -(-len(history) // MOST_RECORDS))
    return [*history[:-1:every], *history[-1:]]


def class_names(run: "Run") -> list[str]:
    """Names of a run's classes, in order; numbers where the run does not say."""
    names = (run.details().get("data") or {}).get("class_names")
    return list(names) if names else [str(label) for label in range(int(rows(run.id)["labels"].max()) + 1)]


def run_before(run: "Run") -> "Run | None":
    """The finished run that was made before this one, on the same data if there is one."""
    from semidml import runs

    older = [other for other in runs.list_runs(include_shipped=run.is_shipped) if other.created() < run.created()]
    finished = [other for other in older if other.status().state == "done"]
    alike = [other for other in finished if other.config().data == run.config().data]
    return (alike or [None])[0]


# ---- maps

PLOTLY = {"displaylogo": False, "displayModeBar": False, "scrollZoom": False}


MOST_ELLIPSES = 128


def ellipses(frame: Mapping[str, Any], axes_of: Mapping[str, Any] | None = None) -> list[list[float]]:
    """The prior's components of a frame on the map that `planes.in_plane` makes: for each its middle x, y, its two half
    axes at one sigma, their angle in radians, its weight relative to the largest. None for one dimension and where
    there are too many to be told apart."""
    import numpy as np

    from semidml import planes

    means = frame.get("component_means")
    if means is None or means.shape[1] == 1 or len(means) > MOST_ELLIPSES or not np.isfinite(means).all():
        return []
    dimensions, variances = means.shape[1], np.exp(frame["component_log_vars"].astype(np.float64))
    if dimensions == 2:
        middles, axes = means, np.eye(2)
    else:
        base = (axes_of or frame)["latents"]
        middles = planes.project(means, "pca", axes_of=base)
        axes = planes.principal_axes(base)[1]  # (D, 2)
    drawn = []
    largest = float(frame["component_weights"].max())
    for middle, variance, weight in zip(middles, variances, frame["component_weights"], strict=True):
        spread, turn = np.linalg.eigh(axes.T @ (variance[:, None] * axes))
        half = np.sqrt(np.maximum(spread, 0))
        angle = float(np.arctan2(turn[1, 1], turn[0, 1]))
        drawn.append([*map(float, middle), float(half[1]), float(half[0]), angle, float(weight) / largest])
    return drawn


def density(frame: Mapping[str, Any]) -> "Regions | None":
    """The regions of a frame's prior in the plane; None without a prior, and in one or more than two dimensions, where
    the map is not the latent space itself."""
    import numpy as np

    means = frame.get("component_means")
    if means is None or means.shape[1] != 2 or not np.isfinite(means).all():
        return None
    return _regions(means, frame["component_log_vars"], frame["component_weights"])


@st.cache_resource(max_entries=32, show_spinner=False)  # anew only when the components have moved
def _regions(means: Any, log_vars: Any, weights: Any) -> "Regions":
    from semidml.priors.density import regions

    return regions(means, log_vars, weights)


@st.cache_data(max_entries=64, show_spinner=False)
def prior_words(config: RunConfig) -> str:
    """What a mixture has to offer, in a sentence: how many components and, if it can be counted, modes."""
    from semidml.priors.words import describe

    return describe(
        config.placement,
        config.components,
        config.latent_dim,
        config.component_spacing,
        config.component_log_var,
        config.positions,
        config.component_weights,
    )


@st.cache_data(max_entries=32, show_spinner="Placing the components …")
def prior_picture(**knobs: Any) -> Any:
    """A mixture in the plane as numbers to draw, from the knobs of it: see `priors.picture.look`."""
    from semidml.priors.picture import look

    return look(**knobs)


def decodes_plane(run: "Run") -> bool:
    """Whether a run has a trained decoder of two latent dimensions."""
    try:
        config = run.config()
    except ValueError:
        return False
    return config.latent_dim == 2 and config.trains_decoder


@until_remade(st.cache_data(max_entries=32, show_spinner=False))
def decoded_samples(run_id: str, latents: Any) -> Any:
    """Latents (n, 2) as a run's decoder draws them, in one strip: uint8 (height, width, 4)."""
    import torch

    from semidml import plots, runs

    with torch.no_grad():
        images = model(runs.get(run_id)).decode(torch.from_numpy(latents)).numpy()
    return plots.image_strip([images], scale=1)


def chart(key: str, state: Hashable, draw: Callable[[], Any]) -> None:
    """The Plotly figure that `draw` gives, in the page's own font. It is drawn anew only when `state` has changed since
    this visitor saw it: the browser leaves a figure alone that is the same."""
    drawn = st.session_state.setdefault("charts drawn", {})
    if key not in drawn or drawn[key][0] != state:
        figure = draw()
        figure.update_layout(font_family='"Source Sans", "Source Sans Pro", sans-serif')
        drawn[key] = (state, figure)
    st.plotly_chart(drawn[key][1], key=f"chart {key}", config=PLOTLY, theme=None)


def live_map(packed: bytes, key: str, **listeners: Callable[[Any], None]) -> None:
    """The map that the browser draws from what `scatter.pack` packed. A listener by the name of what the map sends,
    `moved` or `asked`, takes what it has sent; see `scatter`."""
    from semidml import scatter

    def heard(name: str) -> Callable[[], None]:
        return lambda: listeners[name](st.session_state[key][name])

    draw = st.components.v2.component(scatter.NAME, html=scatter.HTML, css=scatter.css(), js=scatter.javascript())
    draw(data=packed, key=key, **{f"on_{name}_change": heard(name) for name in listeners})


def for_maps(packed: bytes, key: str) -> None:
    """Sends what belongs to a run and not to one frame of it to the maps of this page: images, a film, a lattice."""
    from semidml import scatter

    st.components.v2.component(scatter.STORE, html="", js=scatter.store_javascript())(
        data=packed, key=key, height="content"
    )


def run_map(
    run: "Run",
    frame: Mapping[str, Any],
    its_rows: Mapping[str, Any],
    newest: Mapping[str, Any],
    key: str,
    **more: Any,
) -> None:
    """The live map of a run's frame, with what it shows in words; its axes only grow. `newest` gives the axes of more
    than two dimensions; `more` goes to `scatter.pack`."""
    from semidml import planes, plots, scatter
    from semidml.priors.density import MASSES

    points, how = planes.in_plane(frame["latents"], its_rows["labels"], newest["latents"])
    drawn = ellipses(frame, newest)
    x_range, y_range = extent(run.id, points, drawn)
    names, words = class_names(run), frame_words(run, frame, its_rows, how)
    packed = scatter.pack(
        points,
        its_rows["labels"],
        seen=its_rows["seen"],
        test=its_rows["split"] == 1,
        names=names,
        looks=plots.class_looks(len(names)),
        x_range=x_range,
        y_range=y_range,
        words=f"Map of the latent space. {words}",
        ellipses=drawn,
        density=density(frame),
        masses=MASSES,
        run=run.id,
        epoch=int(frame["epoch"]),
        dark=dark(),
        **more,
    )
    live_map(packed, key)
    st.caption(words)


def reconstructions(run: "Run", frame: Mapping[str, Any]) -> None:
    """Test images over what a run's decoder makes of them after an epoch; nothing for a run without a decoder."""
    from semidml import plots

    if "reconstructions" not in frame:
        return
    try:
        shown_images = originals(run.id)
    except ValueError as error:
        st.caption(f"The originals cannot be shown: {inert(str(error))}")
        return
    st.markdown("**Test images over their reconstructions**")
    pixels(plots.image_strip([shown_images, frame["reconstructions"]], scale=1), "images over their reconstructions")


def table(rows: Sequence[Mapping[str, str]]) -> None:
    """A small table of words, the keys of the first row above it; drawn at once, unlike a data frame's grid."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    st.markdown("\n".join("| " + " | ".join(inert(cell).replace("|", "\\|") for cell in line) + " |" for line in lines))


def pixels(picture: Any, words: str) -> None:
    """A small picture, uint8 (height, width, 4), as wide as there is room, each pixel a square; it leaves no file."""
    st.html(pixels_of(picture, words))


def pixels_of(picture: Any, words: str) -> str:
    """The HTML of `pixels`."""
    return f'<img src="{_source(picture)}" alt="{words}" style="width: 100%; {SQUARES}">'


def pictures(images: Iterable[Any], captions: Iterable[str], width: int) -> None:
    """Images uint8 (C, H, W) side by side, `width` pixels each, in a row that breaks where the page is narrow, with
    captions, which are shown as text whatever they hold. They are one element of the page and no files: a click waits
    for them."""
    st.html(pictures_of(images, captions, width))


def pictures_of(images: Iterable[Any], captions: Iterable[str], width: int) -> str:
    """The HTML of `pictures`."""
    shown = []
    for image, caption in zip(images, captions, strict=True):
        source = source_of(image)
        words, look = html.escape(caption), SQUARES if image.shape[2] <= width else "display: block"
        picture = f'<img src="{source}" alt="{words}" style="width: 100%; {look}">'
        under = f'<figcaption style="{CAPTION}">{words}</figcaption>'
        shown.append(f'<figure style="margin: 0; width: {width}px">{picture}{under}</figure>')
    return f'<div style="display: flex; flex-wrap: wrap; gap: 0.5rem">{"".join(shown)}</div>'


def source_of(image: Any) -> str:
    """An image, uint8 (C, H, W), C 1 or 3, as an address that holds it."""
    return _source(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def _source(picture: Any) -> str:
    """An image, uint8 (height, width) or (height, width, 3 or 4), as an address that holds it."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def ends(low: str, high: str) -> None:
    """Words at the two ends of the slider above."""
    st.html(
        f'<div style="display: flex; justify-content: space-between; margin-top: -1rem; font-size: 0.8rem; '
        f'opacity: 0.7"><span>{low}</span><span>{high}</span></div>'
    )


def extent(
    run_id: str, points: Any, rings: Sequence[Sequence[float]] = ()
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of x and y for a run's map that only grow while this visitor looks, so that nothing jumps: they hold
    all but the outermost 0.2 % of the points at either side and the components' rings at one sigma (see `ellipses`),
    so that a heap is seen to be one, and are widened in steps of a quarter."""
    import numpy as np

    known = st.session_state.setdefault("extents", {})
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    if rings:
        middles, reach = np.array([ring[:2] for ring in rings]), np.array([max(ring[2:4]) for ring in rings])[:, None]
        low, high = np.minimum(low, (middles - reach).min(0)), np.maximum(high, (middles + reach).max(0))
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    if run_id in known:
        (left, right), (bottom, top) = known[run_id]
        old_low, old_high = np.array([left, bottom]), np.array([right, top])
        room = 0.25 * (old_high - old_low)
        low = np.where(low < old_low, np.minimum(low, old_low - room), old_low)
        high = np.where(high > old_high, np.maximum(high, old_high + room), old_high)
    known[run_id] = ((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))
    while len(known) > 32:
        known.pop(next(iter(known)))
    return known[run_id]


def frame_words(run: "Run", frame: Mapping[str, Any], its_rows: Mapping[str, Any], how: str) -> str:
    """What a map shows: epoch, how many points of how many, and how they came to the plane."""
    epoch, step = int(frame.get("epoch", 0)), int(frame.get("step", 0))
    when = "Before training" if epoch == 0 and step == 0 else f"Epoch {epoch} of {run.config().epochs}"
    when = f"In epoch {epoch + 1} of {run.config().epochs}, step {step}" if step else when
    train, test = int((its_rows["split"] == 0).sum()), int((its_rows["split"] == 1).sum())
    has_labels = MODELS[run.config().model].facts["labels"]
    seen = f" ({int(its_rows['seen'].sum()):,} with a seen label)" if has_labels else ""
    directions = of_directions(run)
    return (
        f"{when} · {train + test:,} points: {train:,} training images{seen} and {test:,} test images, always the same"
        f"{f' · {how}' if how else ''}{f'. {directions}' if directions else ''}"
    )


def of_directions(run: "Run") -> str:
    """What is to be known of a run whose loss learns from directions alone, in sentences; "" of others."""
    config = run.config()
    if not config.loss_by_direction:
        return ""
    loss = f"The loss {entry_title('loss', config.loss)} learns from directions alone: "
    if config.on_sphere:
        told = f"{loss}each latent is scaled to length 1, on the map and for every score."
    else:
        reads = "decoder" if MODELS[config.model].facts["decoder"] else "prior"
        told = f"{loss}scores and neighbours are of directions; the map shows lengths too, which the {reads} reads."
    made_by = str((run.details().get("versions") or {}).get("semidml", ""))
    if not made_by.startswith("0.1."):
        return told
    return f"{told} The scores kept with this run were made by version {plain(made_by)}, of latents with their lengths."


def dark() -> bool | None:
    """Whether the visitor's theme is dark; None before the browser has said so."""
    return {"dark": True, "light": False}.get(st.context.theme.type or "")


def small_map(run_id: str) -> None:
    """A run's last frame as a small picture."""
    try:
        picture = _small_map(run_id)
    except ValueError as error:
        st.caption(f"The newest map of this run cannot be drawn: {plain(str(error))}.")
        return
    if picture is None:
        st.caption("This run has kept no map.")
    else:
        st.image(picture, width="stretch")


@until_remade(st.cache_data(max_entries=64, show_spinner=False))
def _small_map(run_id: str) -> bytes | None:
    from semidml import planes, plots, runs

    found = look(runs.get(run_id))
    if found is None:
        return None
    frame, its_rows = found
    return plots.map_image(planes.in_plane(frame["latents"], its_rows["labels"])[0], its_rows["labels"], size=240)


MAP_WORDS = "Points that move from one cloud into groups of one colour each while a network is trained"
LIVING_FRAMES, LIVING_STEPS, LIVING_SIZE, MILLISECONDS = 9, 4, 300, 90


def living_map(run_id: str, place: DeltaGenerator) -> None:
    """A run's frames as a picture that moves by itself from before training to the end, over and over; it stands
    still for those who asked their system for less motion. Its last frame is there at once."""
    try:
        picture = _small_map(run_id)
    except ValueError:
        return  # the gallery says so
    if picture is None:
        return
    still = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    place.html(_framed(f'<img src="{still}" alt="{MAP_WORDS}">'))
    moving = f"data:image/webp;base64,{_living_map(run_id)}"
    source = f'<source media="(prefers-reduced-motion: reduce)" srcset="{still}">'
    place.html(_framed(f'<picture>{source}<img src="{moving}" alt="{MAP_WORDS}"></picture>'))


def _framed(picture: str) -> str:
    """The same room for the still and the moving picture."""
    style = ".living img {width: 100%; max-width: 440px; aspect-ratio: 1; display: block; margin: auto;}"
    return f'<style>{style}</style><div class="living">{picture}</div>'


@until_remade(st.cache_data(max_entries=4, show_spinner=False))
def _living_map(run_id: str) -> str:
    """WebP in base64: a few frames, with straight ways between them, each scaled to one size."""
    import numpy as np
    from PIL import Image

    from semidml import planes, plots, runs

    run = runs.get(run_id)
    epochs, labels = run.frames(), rows(run_id)["labels"]
    last = frame(run_id, epochs[-1])["latents"]
    share = np.linspace(0, 1, min(LIVING_FRAMES, len(epochs))) ** 1.6  # most happens early
    kept = sorted({epochs[round(s * (len(epochs) - 1))] for s in share})
    clouds = [planes.in_plane(frame(run_id, epoch)["latents"], labels, last)[0].astype(np.float32) for epoch in kept]
    clouds = [(cloud - cloud.mean(0)) / (np.abs(cloud - cloud.mean(0)).max() or 1) for cloud in clouds]
    ways = [
        (1 - step) * before + step * after
        for before, after in itertools.pairwise(clouds)
        for step in np.linspace(0, 1, LIVING_STEPS, endpoint=False)
    ]
    drawn = [plots.map_image(way, labels, LIVING_SIZE, 1.5, 1500) for way in (*ways, clouds[-1])]
    pictures = [Image.open(io.BytesIO(png)) for png in drawn]
    moving = io.BytesIO()
    times = [900] + [MILLISECONDS] * (len(pictures) - 2) + [2500]
    more = {"append_images": pictures[1:], "duration": times[: len(pictures)], "loop": 0, "quality": 70}
    pictures[0].save(moving, "WEBP", save_all=True, **more)
    return base64.b64encode(moving.getvalue()).decode()
