"""Findings in words and pictures: a table in Markdown, and one HTML file that needs no network, to hand in."""

import datetime
import html
from collections.abc import Mapping, Sequence

from semidml import __version__
from semidml.claims.evidence import Finding
from semidml.claims.grounds import GROUNDS
from semidml.claims.plans import Setting, knobs_of
from semidml.claims.table import GROUPS, Claim
from semidml.config import RunConfig
from semidml.scores.table import SCORES
from semidml.verdicts import Verdict
from semidml.words import decimals, list_names, value_words

WIDTH, HEIGHT = 220, 18  # pixels of a picture of an interval
WORDS = {"equivalent": "no difference"}  # an answer in other words than its own


def answer_words(finding: Finding) -> str:
    """`holds`, or where settings differ `holds in 3 of 4 settings, undecided in 1`."""
    counts = {WORDS.get(answer, answer): count for answer, count in finding.answers.items()}
    if len(counts) == 1:
        return next(iter(counts))
    whole = sum(counts.values())
    first, *others = sorted(counts.items(), key=lambda pair: -pair[1])
    return ", ".join([f"{first[0]} in {first[1]} of {whole} settings", *(f"{word} in {n}" for word, n in others)])


def setting_words(setting: Setting, finding: Finding) -> str:
    """`0.1 % of the labels, d=10`."""
    dims = "" if not finding.claim.dims or finding.claim.contrast else f", d={setting.latent_dim}"
    return f"{value_words(setting.pl)} % of the labels{dims}"


def difference_words(finding: Finding, setting: Setting) -> str:
    """`+0.180 [+0.137, +0.224], n = 10`; nothing of what is not run."""
    verdict = finding.verdicts[setting]
    if not has_interval(verdict):
        return "" if verdict.mean is None else f"{decimals(verdict.mean, 3, '+')}, n = {verdict.n}"
    low, high = (decimals(end, 3, "+") for end in (verdict.low, verdict.high))
    return f"{decimals(verdict.mean, 3, '+')} [{low}, {high}], n = {verdict.n}"


def has_interval(verdict: Verdict) -> bool:
    return None not in (verdict.mean, verdict.low, verdict.high)


def sides_words(claim: Claim) -> str:
    """What is compared, by which score."""
    first, second = claim.titles
    score = "" if claim.b == claim.a else f": {SCORES[claim.score].title}"
    return f"{first} against {second}{score}"


def claim_table(findings: Sequence[Finding]) -> str:
    """A line a claim, a column a data set, in Markdown."""
    data = list(dict.fromkeys(finding.data for finding in findings))
    by_claim: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        by_claim.setdefault(finding.claim.name, {})[finding.data] = finding
    rows = [["claim", "", *(GROUNDS[name].title for name in data)], ["---"] * (2 + len(data))]
    for name, known in by_claim.items():
        claim = next(iter(known.values())).claim
        statement = claim.statement if claim.source else f"*{claim.statement}*"
        rows.append([name, statement, *(_cell(known[one]) if one in known else "" for one in data)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(finding: Finding) -> str:
    """The answer and, of the first setting that is run, the difference."""
    told = [words for setting in finding.verdicts if (words := difference_words(finding, setting))]
    return f"**{answer_words(finding)}**{f': {told[0]}' if told else ''}"


# ---- the report

STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #1b7f4d; --bad: #b3363a; --plain: #66727f; }
@media (prefers-color-scheme: dark) { :root { --good: #5cc48d; --bad: #f08a8d; --plain: #9aa6b2; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
.scroll { overflow-x: auto; }
.holds { color: var(--good); } .fails { color: var(--bad); } .other { color: var(--plain); }
small, .about { color: var(--plain); } code { font-size: .85rem; overflow-wrap: anywhere; }
svg { display: block; }
"""
INTERVALS = (
    "A difference is of pairs: both sides with the same seed, images and seen labels. Its interval has 95 % for a "
    "single setting and is wider where a claim has several looks; the grey band is the margin that was fixed before "
    "anything was trained; n are seeds."
)


def html_report(findings: Sequence[Finding], quick: bool, versions: Mapping[str, str]) -> bytes:
    """All findings as one HTML file: by claim its answer, and by setting its difference, interval and commands."""
    title = "Does it hold? The claims of both papers"
    form = "the quick form, with fewer epochs, labels and dimensions" if quick else "the full form"
    made = f"semidml {__version__}, torch {versions['torch']}, Python {versions['python']}, {datetime.date.today()}"
    parts = [f"<h1>{_text(title)}</h1><p class=about>{_text(made)}; {form}. {_text(INTERVALS)}</p>"]
    for group, (_, about) in GROUPS.items():
        own = [finding for finding in findings if finding.claim.group == group]
        if own:
            parts.append(f"<h2>{_text(about)}</h2>")
            parts += [_claim_part(claim, own, quick) for claim in dict.fromkeys(one.claim.name for one in own)]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{_text(title)}</title>"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    body = f"<body><main>{''.join(parts)}</main></body>"
    return f"<!doctype html><html lang=en><head>{head}{policy}<style>{STYLE}</style></head>{body}</html>".encode()


def _claim_part(name: str, findings: Sequence[Finding], quick: bool) -> str:
    own = [finding for finding in findings if finding.claim.name == name]
    claim = own[0].claim
    answers = list_names([f"{GROUNDS[one.data].title}: {answer_words(one)}" for one in own])
    scale = scale_of([verdict for one in own for verdict in one.verdicts.values()])
    rows = "".join(_row(finding, setting, scale) for finding in own for setting in finding.verdicts)
    head = "".join(f"<th>{word}" for word in ("", "setting", "sides", "difference", "", "p", "answer"))
    asked = claim.source or "our question"
    words = f"{sides_words(claim)}; claimed: {claim.relation}, margin {value_words(claim.margin)}"
    return (
        f"<section id={_text(name)}><h3>{_text(name)} {_text(claim.statement)}</h3>"
        f"<p><b>{_text(answers)}</b> <small>{_text(asked)}. {_text(words)}.</small></p>"
        f"<div class=scroll><table><thead><tr>{head}</thead><tbody>{rows}</tbody></table></div>"
        f"<details><summary>Settings</summary>{_settings(own, quick)}</details></section>"
    )


def _row(finding: Finding, setting: Setting, scale: float) -> str:
    verdict = finding.verdicts[setting]
    means = [finding.means.get((place, setting)) for place in "ab"]
    sides = " / ".join("-" if mean is None else decimals(mean, 3) for mean in means)
    p = "" if verdict.p_holm is None else f"{verdict.p_holm:.3f}"
    kind = verdict.answer if verdict.answer in ("holds", "fails") else "other"
    cells = [
        _text(GROUNDS[finding.data].title),
        _text(setting_words(setting, finding)),
        sides,
        _text(difference_words(finding, setting)),
        interval_picture(verdict, scale) if has_interval(verdict) else "",
        p,
        f"<b>{WORDS.get(verdict.answer, verdict.answer)}</b>",
    ]
    return f"<tr class={kind}>{''.join(f'<td>{cell}' for cell in cells)}"


def scale_of(verdicts: Sequence[Verdict]) -> float:
    """What pictures of these intervals must reach, to either side of zero."""
    return max(
        [abs(end) for verdict in verdicts if has_interval(verdict) for end in (verdict.low, verdict.high)], default=1
    )


def interval_picture(verdict: Verdict, scale: float, width: int = WIDTH, colour: str = "currentColor") -> str:
    """An interval as a small SVG: zero, the band of the margin, the interval and its mean; from -scale to scale."""
    low, mean, high, margin = verdict.low, verdict.mean, verdict.high, verdict.margin

    def x(value: float) -> float:
        inner = width - 12
        return round(6 + inner * (max(-1.0, min(1.0, value / (1.05 * scale))) + 1) / 2, 1)

    y, words = HEIGHT / 2, interval_words(verdict)
    ink = f"stroke='{colour}' fill='{colour}'"
    band = f"x='{x(-margin)}' y='2' width='{round(x(margin) - x(-margin), 1)}' height='{HEIGHT - 4}'"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{HEIGHT}' role='img' "
        f"aria-label='{_text(words)}'><rect {band} fill='{colour}' fill-opacity='.16' />"
        f"<line {ink} stroke-opacity='.6' x1='{x(0)}' x2='{x(0)}' y1='0' y2='{HEIGHT}' />"
        f"<line {ink} stroke-width='3' x1='{x(low)}' x2='{x(high)}' y1='{y}' y2='{y}' />"
        f"<circle {ink} cx='{x(mean)}' cy='{y}' r='4' /></svg>"
    )


def interval_words(verdict: Verdict) -> str:
    """A picture of an interval in words."""
    low, mean, high = (decimals(value, 3, "+") for value in (verdict.low, verdict.mean, verdict.high))
    return f"from {low} to {high}, mean {mean}"


def _settings(findings: Sequence[Finding], quick: bool) -> str:
    """What each side trains on each data set, as commands, and what was chosen."""
    lines = []
    for finding in findings:
        ground = GROUNDS[finding.data]
        for side in finding.claim.sides:
            config = RunConfig.of(knobs_of(side, ground, quick))
            lines.append(
                f"<p>{_text(ground.title)}, {_text(side.title)}:<br><code>{_text(config.command())}</code></p>"
            )
        for (side, setting), values in finding.chosen.items():
            chosen = ", ".join(f"{knob} {value_words(value)}" for knob, value in values.items())
            where = setting_words(setting, finding)
            lines.append(f"<p>{_text(side)}, {_text(where)}: {_text(chosen)}, by held-out images.</p>")
    return "".join(lines)


def _text(words: str) -> str:
    return html.escape(words, quote=True)
