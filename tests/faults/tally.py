"""The tally of the campaign of faults: every test below tests/faults/ is one of its cases, with an expected end. It
says how many were tried, how many survived, and of each that was lost what was done, expected and what came."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = "tests/faults/"
DONE, EXPECTED = "what was done", "what was expected"  # properties of a case's report
LETTERS = 1500  # at most, of what came


def write_tally(reporter: pytest.TerminalReporter) -> None:
    """Print the tally, if any case was tried."""
    survived = {report.nodeid for report in _reports(reporter, "passed")}
    lost = {report.nodeid: report for kind in ("failed", "error") for report in _reports(reporter, kind)}
    skipped = list(_reports(reporter, "skipped"))
    survived -= lost.keys()
    if not survived and not lost:
        return
    reporter.section("campaign of faults")
    reporter.write_line(f"tried {len(survived) + len(lost)}, survived {len(survived)}, lost {len(lost)}")
    for report in skipped:
        reporter.write_line(f"not tried: {report.nodeid}: {_reason(report)}")
    for name, report in lost.items():
        told = dict(getattr(report, "user_properties", ()))  # none of a file that cannot be imported
        reporter.write_line(f"\nlost: {name}")
        reporter.write_line(f"  done:     {told.get(DONE) or words_of(name)}")
        reporter.write_line(f"  expected: {told.get(EXPECTED) or 'as its name says'}")
        reporter.write_line(f"  came:     {_came(report)[:LETTERS]}")


def words_of(name: str) -> str:
    """What a case without further words does: its name, as a sentence."""
    return name.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _reports(reporter: pytest.TerminalReporter, kind: str) -> Iterator[Any]:
    """Reports of the campaign's cases: of those that passed the call itself, of all others each part."""
    for report in reporter.stats.get(kind, []):
        is_case = Path(report.nodeid.partition("::")[0]).as_posix().startswith(FOLDER)
        if is_case and (kind != "passed" or report.when == "call"):
            yield report


def _came(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash else str(report.longrepr)


def _reason(report: Any) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
