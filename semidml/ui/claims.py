"""What the page *Does it hold?* shows: answers, a claim with its settings, seeds that are added."""

import base64
from collections.abc import Sequence

import streamlit as st

from semidml import tasks
from semidml.claims import evidence, report, training
from semidml.claims.evidence import Finding, Row
from semidml.claims.grounds import GROUNDS
from semidml.claims.plans import Setting, knobs_of, list_trainings
from semidml.claims.table import CLAIMS, Claim
from semidml.config import RunConfig
from semidml.sweeps.sweep import open_sweep
from semidml.ui import frame
from semidml.ui.words import escape_markdown
from semidml.verdicts import UNTIL_DECIDED, Verdict
from semidml.words import decimals, seconds_words, value_words

COLOURS = {"holds": "green", "fails": "red", "equivalent": "blue", "undecided": "orange"}
INK, INKS = "#7d8793", {"holds": "#2c9a68", "fails": "#d2555b"}  # of intervals, in light and dark
WIDTH, WIDE = 96, 220  # pixels of a picture in the table, and of a claim that is shown
TASK = "claims"


@st.cache_data(show_spinner=False, max_entries=2)
def _read_rows(stamps: tuple) -> list[Row]:
    return evidence.known_rows()


def read_rows() -> list[Row]:
    """All evidence that is known, read again once a file of it has changed.
    Raises: ValueError where a file is damaged."""
    return _read_rows(evidence.stamps())


@st.cache_data(show_spinner=False, max_entries=64)
def judge_group(stamps: tuple, group: str, data: str, quick: bool) -> list[Finding]:
    """What the evidence says of a group's claims on a data set, looked at until it is decided."""
    claims = [claim for claim in CLAIMS.values() if claim.group == group]
    return evidence.judge_claims(_read_rows(stamps), claims, data, quick, UNTIL_DECIDED)


# ---- all answers


def draw_answers(findings: Sequence[Finding], chosen: tuple[str, str]) -> tuple[str, str] | None:
    """A line a claim, with its answer on each data set; the (claim, data set) that was pressed."""
    data = list(dict.fromkeys(finding.data for finding in findings))
    known = {(finding.claim.name, finding.data): finding for finding in findings}
    pressed = None
    for claim in dict.fromkeys(finding.claim.name for finding in findings):
        row = st.columns([1.5, *([1.4] * len(data))], vertical_alignment="center")
        row[0].markdown(statement_words(CLAIMS[claim]))
        for place, name in zip(row[1:], data, strict=True):
            if _draw_answer(place, known[claim, name], is_chosen=(claim, name) == chosen):
                pressed = claim, name
    return pressed


def statement_words(claim: Claim) -> str:
    """A claim as a line of Markdown: what the papers say upright, our own questions in italics."""
    words = escape_markdown(claim.statement)
    return f"{claim.name} {words if claim.source else f'*{words}*'}"


def _draw_answer(place: "st.delta_generator.DeltaGenerator", finding: Finding, *, is_chosen: bool) -> bool:
    """An answer as a word to press, beside the interval of each setting; whether it was pressed."""
    name, kind = f"{finding.claim.name} {finding.data}", "secondary" if is_chosen else "tertiary"
    with place.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = f"{GROUNDS[finding.data].title}: {coloured(report.answer_words(finding), finding)}"
        pressed = st.button(words, key=f"claim {name}", type=kind, help=short_words(finding))
        drawn = [verdict for verdict in finding.verdicts.values() if report.has_interval(verdict)]
        if drawn:
            scale, seeds = report.scale_of(drawn), min(verdict.n for verdict in drawn)
            pictures = "".join(picture(verdict, scale, WIDTH) for verdict in drawn)
            row = 'style="display: flex; align-items: center; gap: 0.5rem; white-space: nowrap"'
            st.html(f"<div {row}><div>{pictures}</div><small>n = {seeds}</small></div>", width="content")
    return pressed


def picture(verdict: Verdict, scale: float, width: int) -> str:
    """An interval in the colour of its answer, as HTML."""
    drawn = report.interval_picture(verdict, scale, width, INKS.get(verdict.answer, INK))
    source = base64.b64encode(drawn.encode()).decode()
    words = report.interval_words(verdict)
    return f'<img src="data:image/svg+xml;base64,{source}" alt="{words}" style="display: block">'


def coloured(words: str, finding: Finding) -> str:
    """Words in the colour of the commonest answer."""
    first = max(finding.answers, key=finding.answers.get)
    colour = COLOURS.get(first)
    return f":{colour}[{words}]" if colour else f":gray[{words}]"


def short_words(finding: Finding) -> str:
    """The differences of all settings, a line each."""
    lines = [
        f"{report.setting_words(setting, finding)}: {report.difference_words(finding, setting) or 'not run'}"
        for setting in finding.verdicts
    ]
    return escape_markdown("; ".join(lines))


def draw_summary(group: str) -> None:
    """What is known of a group's claims, a line each, and the way to their page; of each data set its full form where
    there is evidence of it, else the quick one."""
    try:
        rows = read_rows()
    except ValueError as error:
        st.error(f"The evidence cannot be read: {escape_markdown(str(error))}", icon=":material/error:")
        return
    answers: dict[str, list[str]] = {}
    for data, ground in GROUNDS.items():
        forms = {row["form"] for row in rows if row["data"] == data}
        for finding in judge_group(evidence.stamps(), group, data, "full" not in forms) if forms else ():
            if finding.answers.keys() != {"not run"}:
                known = f"{ground.title}: {coloured(report.answer_words(finding), finding)}"
                answers.setdefault(finding.claim.name, []).append(known)
    st.markdown("\n".join(f"- {statement_words(CLAIMS[name])} {'; '.join(known)}" for name, known in answers.items()))
    first = next(claim.name for claim in CLAIMS.values() if claim.group == group)
    label = "Does it hold? With its intervals, its runs and more seeds"
    st.page_link(frame.HOLDS, label=label, icon=":material/balance:", query_params={"claim": first})


# ---- one claim


def draw_claim(finding: Finding, quick: bool) -> None:
    """A claim on a data set: what is compared, each setting's verdict as a sentence and a picture, its runs."""
    claim, ground = finding.claim, GROUNDS[finding.data]
    st.header(f"{claim.name} on {ground.title}: {report.answer_words(finding)}", anchor=False)
    source = f"claimed by {claim.source}" if claim.source else "our own question"
    st.markdown(
        f"{escape_markdown(claim.statement)} *({source})* Compared are {escape_markdown(report.sides_words(claim))}; "
        f"a difference counts from {value_words(claim.margin)} on, which was fixed before anything was trained."
    )
    verdicts = list(finding.verdicts.items())
    scale = report.scale_of([verdict for _, verdict in verdicts])
    for setting, verdict in verdicts:
        drawing, words, link = st.columns([1.1, 3, 1], vertical_alignment="center")
        if report.has_interval(verdict):
            drawing.html(picture(verdict, scale, WIDE))
        words.markdown(f"**{report.setting_words(setting, finding)}.** {escape_markdown(verdict.words())}")
        _draw_runs(link, finding, setting)
    _draw_flips(finding)
    with st.expander("What each side trains", icon=":material/tune:"):
        for side in claim.sides:
            st.markdown(f"**{side.title}**")
            st.code(RunConfig.of(knobs_of(side, ground, quick)).command(), language="bash", wrap_lines=True)
            for knob, values in side.tries.items():
                st.caption(f"{knob} is one of {', '.join(map(value_words, values))}, chosen by held-out images.")
        for (side, setting), values in finding.chosen.items():
            chosen = ", ".join(f"{knob} {value_words(value)}" for knob, value in values.items())
            st.caption(f"{side}, {report.setting_words(setting, finding)}: {chosen} was chosen.")


def _draw_runs(place: "st.delta_generator.DeltaGenerator", finding: Finding, setting: Setting) -> None:
    """The way to a setting's runs, where they are here: evidence may come from another machine."""
    here = [(sweep, cell) for sweep, cell in finding.cells.get(setting, ()) if _is_here(sweep, cell)]
    if here:
        sweep, cell = here[0]
        query = {"sweep": sweep, "cell": cell, "score": f"test_{finding.claim.score}"}
        place.page_link(frame.MANY, label="Its runs", icon=":material/grid_on:", query_params=query)
        run = {"run": f"{sweep}/{cell}"}
        place.page_link(frame.EXPLORE, label="A map", icon=":material/travel_explore:", query_params=run)


def _is_here(sweep: str, cell: str) -> bool:
    try:
        return open_sweep(sweep).run_of(cell).path.is_dir()
    except ValueError:
        return False


def _draw_flips(finding: Finding) -> None:
    """Where the answer flips: mean differences by labels and dimensions, where there are several of both."""
    shares = sorted({setting.pl for setting in finding.verdicts})
    dims = sorted({setting.latent_dim for setting in finding.verdicts})
    if len(finding.verdicts) < 3 or len(shares) < 2:
        return
    rows = []
    for dim in dims:
        cells = {}
        for pl in shares:
            verdict = finding.verdicts.get(Setting(pl, dim))
            told = verdict is not None and verdict.mean is not None
            cells[f"{value_words(pl)} %"] = f"{decimals(verdict.mean, 3, '+')} {verdict.answer}" if told else "-"
        rows.append({"latent dimensions": dim, **cells})
    st.caption("Where the answer flips: the mean difference, by percentage of labels.")
    st.table(rows)


# ---- more seeds


def next_count(finding: Finding) -> int:
    """With how many seeds it is looked at next; 0 where nothing is to be added."""
    least = min((one.n for one in finding.verdicts.values() if one.answer in evidence.OPEN), default=UNTIL_DECIDED[-1])
    return next((count for count in UNTIL_DECIDED if count > least), 0)


def draw_seeds(finding: Finding, quick: bool) -> None:
    """The button that trains what an answer lacks, here and now, until it is decided; how far that is."""
    key = (TASK, finding.claim.name, finding.data, quick)
    task = tasks.find_task(key)
    if task and not task.done:
        st.fragment(lambda: _draw_going(key), run_every=frame.SECONDS_LIVE)()
        return
    if task and task.error:
        st.error(escape_markdown(task.error), icon=":material/error:")
    count = next_count(finding)
    if not count:
        if "undecided" in finding.answers:
            st.caption(f"It stays undecided: at most {UNTIL_DECIDED[-1]} seeds were planned, and they are there.")
        return
    runs = sum(one.plan.count for one in list_trainings([finding.claim], finding.data, range(count), quick))
    button, words = st.columns([1, 2.4], vertical_alignment="center")
    looks = ", ".join(map(str, UNTIL_DECIDED))
    words.caption(
        f"With {count} seeds it has {runs:,} runs, of which those that are here already count. Looks at {looks} seeds "
        "share one error, so that looking again makes no answer up."
    )
    label = "Add seeds until it is decided" if finding.answers.keys() != {"not run"} else "Train until it is decided"
    act = {"on_click": start, "args": (finding.claim, finding.data, quick), "type": "primary", "width": "stretch"}
    button.button(label, key=f"seeds {finding.claim.name} {finding.data}", icon=":material/add:", **act)


def _draw_going(key: tuple) -> None:
    frame.draw_task(key, lambda task: f"{task.text}, since {seconds_words(task.seconds)}")
    st.button("Stop", key="stop claims", icon=":material/stop:", on_click=_stopping.add, args=(key,))


_stopping: set[tuple] = set()  # claims that somebody asked to stop, of all visitors


def start(claim: Claim, data: str, quick: bool) -> None:
    """Trains a claim in the background."""
    key = (TASK, claim.name, data, quick)
    _stopping.discard(key)
    tasks.start_task(
        key, lambda progress: training.decide_claim(claim, data, quick, progress, lambda: key in _stopping)
    )
