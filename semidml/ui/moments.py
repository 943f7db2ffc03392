"""Scores that belong to the picture beside them: of its moment, or with the epoch that they are of."""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from semidml.explore import moment
from semidml.frames import Frame
from semidml.runs.run import Run
from semidml.scatter import bundle
from semidml.scores.table import SCORES, live_where, shown_at
from semidml.ui import cache, query
from semidml.ui.frame import is_warm
from semidml.ui.scores import score_row, score_words, scores_now, tests_labels


@dataclass(frozen=True)
class Moment:
    """The scores that stand beside a frame, in words of when."""

    when: str  # "After epoch 12"
    before: Mapping[str, Any]  # scores before training
    now: Mapping[str, Any]  # scores of the frame, and of the last whole epoch where the frame's are not known
    failed: Mapping[str, str] = field(default_factory=dict)  # why some are not known
    late: Mapping[str, Any] = field(default_factory=dict)  # those of `now` that are of the last whole epoch
    whole: str = ""  # which that is, and when the next comes
    final: bool = False  # whether they are of all test images

    @property
    def words(self) -> str:
        """When, and of what."""
        return f"{self.when}, of {'all test images' if self.final else 'the test points drawn'}"


def read_moment(run: Run, frame: Frame) -> Moment:
    """The scores of a frame: the final ones of the last, the record's at the end of an epoch; else those of its points,
    and for what these do not tell the last whole epoch's. Before torch is loaded, all are that epoch's."""
    before, newest, failed = scores_now(run)
    config, history = run.config(), run.history()
    if run.metrics() and frame.epoch == config.epochs:
        return Moment("At the end", before, newest, failed, final=True)
    when = when_words(moment.epochs_of(history, frame))
    if record := moment.record_of(history, frame):
        return Moment(when, before, record.scores)
    own = frame_scores(run.id, query.seen_last(run, frame), run, frame) if is_warm() else {}
    whole = next((r for r in reversed(history) if r.scores and r.epoch <= frame.epoch), None)
    if whole is None:
        return Moment(when, before, own)
    late = {name: value for name, value in whole.scores.items() if name not in own}
    following = f"; next after epoch {whole.epoch + 1}" if whole.epoch < config.epochs else ""
    return Moment(when, before, late | own, late=late, whole=f"of epoch {whole.epoch}{following}")


@cache.bounded(st.cache_data(show_spinner=False))
def frame_scores(run_id: str, key: tuple, _run: Run, _frame: Frame) -> dict[str, Any]:
    """See `moment.score_frame`; none of points that cannot be scored, which the page says of the frame."""
    return moment.score_frame(_run, _frame)


def when_words(epochs: float) -> str:
    """`Before training`, `In epoch 0.6`, `After epoch 3`."""
    if not epochs:
        return "Before training"
    return f"After epoch {epochs:.0f}" if epochs == int(epochs) else f"At epoch {epochs:.1f}"


def late_words(here: Moment, names: Iterable[str]) -> str:
    """Which of these scores are not of the frame's moment, and of which; "" when all are."""
    titles = [SCORES[name].title for name in names if name in here.late]
    return f"{', '.join(titles)}: {here.whole}" if titles else ""


def draw_scores(run: Run, frame: Frame, place: str) -> Moment:
    """The scores of a place, of the frame beside them, and when that is; which of them are of another moment."""
    here, has_labels = read_moment(run, frame), tests_labels(run)
    names = shown_names(run, here, place)
    unknown = ["retrieval"] if place == "clusters" else [] if here.now or here.before else ["classes"]
    st.caption(f"**{here.words}**")
    always = live_where("always", *unknown, labels=has_labels)
    score_row(names, here.before, here.now, here.failed, always=always, of=run.id)
    if words := late_words(here, names):
        st.caption(f":material/schedule: {words}.")
    return here


def shown_names(run: Run, here: Moment, place: str) -> list[str]:
    """The scores of a place; recall at 1 where it is known while a run goes on, or stands for the kNN scores."""
    has_recall = "recall_at_1" in here.before or ("knn_accuracy" not in here.now and tests_labels(run))
    return [name for name in shown_at(place) if name != "recall_at_1" or has_recall or place == "clusters"]


def headlines_html(run: Run, place: str) -> str:
    """The two scores of a place that say most, of the newest frame, as HTML of one height."""
    try:
        newest = cache.read_newest(run)
        here = None if newest is None else read_moment(run, newest)
    except ValueError:  # the map says so
        here = None
    now = {} if here is None else here.now
    names = shown_at(place)
    names = ([name for name in names if now.get(name) is not None] or names)[:2]
    told = [(SCORES[name].title, score_words(name, now.get(name)), when_of(here, name)) for name in names]
    return f'<div class="newest">{"".join(_headline_html(*map(html.escape, words)) for words in told)}</div>'


def watch_card(key: str) -> None:
    """The bar shows `headlines_html` while the container of that key, whose scores say the same, is out of sight."""
    watch = st.components.v2.component(bundle.HEADLINES, html="", js=bundle.javascript("headlines"))
    with st.container(key="watch", height=1, border=False):
        watch(data={"card": key}, key="watched card", height="content")


def when_of(here: Moment | None, name: str) -> str:
    """When a score is of, short."""
    if here is None:
        return "not known yet"
    return here.whole.partition(";")[0] if name in here.late else here.when.lower()


def _headline_html(title: str, value: str, when: str) -> str:
    return f"<div><span>{title}</span><b>{value}</b><span>{when}</span></div>"
