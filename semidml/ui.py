"""The frame around every page, the widgets made from RunConfig, and the caches.

Beside pages/ and app.py this is the only file that imports Streamlit.

A page begins with `page(title)`. Heavy modules load where they are used: the first page is out before torch is.

    ui.page("Train")                       menu, what runs now, footer
    ui.read_link()                         knobs out of the link; what is wrong with it is said
    ui.knob("latent_dim")                  a widget
    config = ui.config()                   the RunConfig of all knobs; raises ValueError in words
    ui.write_link(config)                  the link says what the knobs say
"""

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from semidml.config import FAMILIES, RunConfig, knobs, seen_labels, shown

ROOT = Path(__file__).resolve().parent.parent
MENU = {
    "Play": [
        ("app.py", "Home", ":material/home:"),
        ("pages/1_Train.py", "Train", ":material/play_circle:"),
        ("pages/2_Explore.py", "Explore", ":material/travel_explore:"),
    ],
    "Data": [("pages/3_Data.py", "Data", ":material/image:")],
}
TRAIN = "pages/1_Train.py"
EXPLORE = "pages/2_Explore.py"
DATA = "pages/3_Data.py"
SECONDS_IDLE = 5.0  # between two looks at what runs, when nothing on the page depends on it
NAMES = {
    "data": "Data",
    "model": "Model",
    "pl": "Labels seen",
    "latent_dim": "Latent dimensions",
    "lr": "Learning rate",
    "lr_decay": "Learning rate decay",
}
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-top: 2.6rem; padding-bottom: 3rem; max-width: 1500px;}
[data-testid="stSidebar"] [data-testid="stPageLink"] p {font-size: 0.95rem;}
h1 {font-size: 1.9rem !important; padding-bottom: 0.2rem !important;}
h2 {font-size: 1.3rem !important;} h3 {font-size: 1.05rem !important;}
@media (max-width: 640px) {[data-testid="stMainBlockContainer"] {padding-left: 1rem; padding-right: 1rem;}}
</style>"""


# ---- the frame


def page(title: str, icon: str = ":material/scatter_plot:") -> None:
    """The first call of every page: title of the tab, menu, what runs now, footer. Writes no heading."""
    st.set_page_config(
        page_title=title if title == "semidml" else f"{title} · semidml",
        page_icon=icon,
        layout="wide",
        initial_sidebar_state="auto",
    )
    st.html(STYLE)
    warm_up()
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
            label=progress_words(run),
            icon=":material/progress_activity:",
            query_params={"run": run.id},
        )
    if not running:
        st.caption("Nothing runs now.")
    st.caption(
        f"Device: {device_name()}  \nData: `{short(store.data_folder())}`  \n"
        f"Runs: {runs.size_words(runs.usage())} of {runs.size_words(runs.quota())}"
    )


def device_name() -> str:
    """The device that `auto` takes, once torch is loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not hasattr(torch, "backends"):
        return "looking …"
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple GPU" if torch.backends.mps.is_available() else "CPU"


@st.cache_resource(max_entries=1)
def warm_up() -> threading.Thread:
    """Loads torch in a thread of the app and starts the warm worker, once a process. Returns the thread."""

    def work() -> None:
        from semidml import jobs

        jobs.jobs().warm()
        import torch  # noqa: F401

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def foot(command: str, python: str) -> None:
    """The same without the page: the command line and the Python that do what the page did."""
    with st.expander("The same without the page", icon=":material/terminal:"):
        st.code(command, language="bash", wrap_lines=True)
        st.code(python, language="python", wrap_lines=True)


def trouble(error: Exception | str) -> None:
    """An error's own words, as they are."""
    st.error(str(error), icon=":material/error:")


# ---- knobs


def title(name: str) -> str:
    """A knob's name in words."""
    return NAMES.get(name, name.replace("_", " ").capitalize())


def entry_title(family: str, name: str) -> str:
    """The title of an entry of a family's table, or the name itself (an upload's, a literal's)."""
    entry = FAMILIES.get(family, {}).get(name)
    return entry.title if entry else name


def chosen() -> dict[str, Any]:
    """The knobs that the visitor or the link has set; all others follow the data set and the model."""
    return st.session_state.setdefault("chosen knobs", {})


def config() -> RunConfig:
    """The RunConfig of all knobs; those without an effect keep their defaults. Raises ValueError in words."""
    return config_of(chosen())


def config_of(values: Mapping[str, Any]) -> RunConfig:
    """The RunConfig of these values, without those that have no effect here. Raises ValueError in words."""
    families = {name: value for name, value in values.items() if name in FAMILIES}
    used = RunConfig.of(families).used()
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
    if raw and raw != st.session_state.get("written link"):
        values, problems = _parsed(raw)
        st.session_state["chosen knobs"] = values
        st.session_state["link problems"] = problems
        st.session_state["written link"] = raw
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
            values[name] = getattr(RunConfig.of({name: text}), name)
        except ValueError as error:
            problems.append(str(error))
    return values, problems


def write_link(config: RunConfig) -> None:
    """Puts the knobs into the link, under the names of the command line; other parameters stay."""
    link = link_of(config)
    others = {name: st.query_params[name] for name in st.query_params if name not in knobs()}
    if dict(st.query_params) != others | link:
        st.query_params.from_dict(others | link)
    st.session_state["written link"] = link


def link_of(config: RunConfig) -> dict[str, str]:
    """Query parameters that give this config."""
    return {"data": config.data, "model": config.model} | {
        name: shown(value) for name, value in config.changed().items()
    }


def set_knobs(values: Mapping[str, Any]) -> None:
    """All knobs at once, as a run's config has them; call it before the widgets are drawn (in a callback)."""
    st.session_state["chosen knobs"] = dict(values)
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
    """The widget of a knob, and its value: a select box for names (with their titles), else a number field, or a
    slider over `options` (a value outside of them, brought by a link, is put among them). `horizontal` draws names
    as a segmented control."""
    known = knobs()[name]
    value = current(name)
    if st.session_state.get(name) != value or name not in st.session_state:
        st.session_state[name] = value
    common: dict[str, Any] = {"key": name, "help": known.help.capitalize() + ".", "on_change": _moved, "args": (name,)}
    label = label or title(name)
    if slider:
        return st.select_slider(label, sorted({*options, value}), format_func=format_func or shown, **common)
    if known.choices or options is not None:
        names = list(options if options is not None else known.choices)
        names += [value] if value not in names else []
        titles = format_func or (lambda choice: entry_title(name, choice))
        if horizontal:
            return st.segmented_control(label, names, format_func=titles, required=True, **common)
        return st.selectbox(label, names, format_func=titles, **common)
    if known.kind is int:
        return st.number_input(label, int(known.low), int(known.high), step=1, **common)
    return st.number_input(label, float(known.low), float(known.high), step=_step(value), format="%g", **common)


def _step(value: float) -> float:
    """A tenth of the value's power of ten, so that the buttons of a number field do something sensible."""
    power = len(f"{value:.10f}".rstrip("0").partition(".")[2]) if value else 2
    return float(10.0**-power)


def _moved(name: str) -> None:
    """A widget was moved: remember it; with another data set or model, what suits that one comes back."""
    chosen()[name] = st.session_state[name]
    st.session_state["link problems"] = []
    if name in ("data", "model"):
        for suited in {
            knob for family in ("data", "model") for entry in FAMILIES[family].values() for knob in entry.defaults
        }:
            chosen().pop(suited, None)


# ---- words


def labels_of(config: RunConfig) -> tuple[int, int, int]:
    """(seen labels, official training rows, classes) of a config's data set."""
    from semidml.data import store

    facts = store.facts(config.data)
    return seen_labels(config.pl, facts["train"]), facts["train"], facts["classes"]


def setting(config: RunConfig) -> str:
    """A config in words: `MNIST, 60 labels, DML autoencoder`."""
    try:
        labels = f"{labels_of(config)[0]:,} labels" if config.pl < 100 else "all labels"
    except ValueError:
        labels = f"{shown(config.pl)} % of the labels"
    labels = "1 label" if labels == "1 labels" else labels
    return f"{entry_title('data', config.data)}, {labels}, {entry_title('model', config.model)}"


def percent(value: float | None) -> str:
    """A share as a percentage: `93.1 %`; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def seconds_words(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h`."""
    if seconds < 99:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def short(path: Path) -> str:
    """A path with ~ for the home folder."""
    home = str(Path.home())
    return str(path).replace(home, "~", 1) if str(path).startswith(home) else str(path)


# ---- runs, data and models, cached


def running_runs() -> list[Any]:
    """Runs of this folder that are running now, whoever started them."""
    from semidml import runs

    return [run for run in runs.list_runs() if run.status().state == "running"]


def progress_words(run: Any) -> str:
    """Setting and progress of a run: `MNIST, 60 labels, DML autoencoder: epoch 3 of 10`."""
    status = run.status()
    return f"{setting(run.config())}: epoch {status.epoch} of {status.epochs}"


@st.cache_resource(max_entries=2, show_spinner="Loading the images …")
def dataset(name: str) -> Any:
    """The Dataset of that name, loaded (not downloaded). Shared by all visitors: don't change it. Raises ValueError
    when it is not here."""
    from semidml.data import store

    return store.load(name)


@st.cache_resource(max_entries=4, show_spinner="Loading the model …")
def model(run_id: str) -> Any:
    """A finished run's model on the CPU, in evaluation mode. Shared by all visitors."""
    from semidml import runs

    return runs.get(run_id).model()


@st.cache_data(max_entries=16, show_spinner=False)
def rows(run_id: str) -> dict[str, Any]:
    """Which rows a run's map draws: see `Training.rows`."""
    from semidml import runs

    return runs.get(run_id).rows()


@st.cache_data(max_entries=128, show_spinner=False)
def frame(run_id: str, epoch: int) -> dict[str, Any]:
    """What a run's map draws after an epoch: see `Training.frame`."""
    from semidml import runs

    return runs.get(run_id).frame(epoch)
