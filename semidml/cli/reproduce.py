"""Whether the claims of both papers hold: train what they need, judge, report."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from semidml.claims import evidence, report, training
from semidml.claims.evidence import EVIDENCE, Finding
from semidml.claims.grounds import GROUNDS
from semidml.claims.plans import QUICK_SEEDS, SEEDS, Training, list_trainings
from semidml.claims.table import CLAIMS, GROUPS, choose_claims
from semidml.cli.command import add_command, heeded_signals, read_data
from semidml.cli.sweeps import progress_bar
from semidml.disk import files
from semidml.registry import choose
from semidml.runs import listing, places
from semidml.sweeps.sweep import Sweep
from semidml.verdicts import UNTIL_DECIDED

QUICK_DATA, DATA = ("digits",), ("mnist", "organamnist")
REPORT = "report.html"


def add_commands(commands: Any) -> None:
    about = "train what the papers' claims need, and say which hold; again: what is missing"
    command = add_command(commands, "reproduce", do_reproduce, about)
    names = f"all, {', '.join(GROUPS)}, or claims: {', '.join(CLAIMS)} (default: all)"
    command.add_argument("claims", nargs="*", metavar="CLAIM", help=names)
    about = f"of {', '.join(GROUNDS)} (default: {' '.join(DATA)}; with --quick {' '.join(QUICK_DATA)})"
    command.add_argument("--data", nargs="+", metavar="DATA", help=about)
    command.add_argument("--quick", action="store_true", help="minutes: fewer epochs, labels, dimensions and seeds")
    command.add_argument("--seeds", type=int, help=f"of each setting (default: {SEEDS}; with --quick {QUICK_SEEDS})")
    about = f"{', '.join(map(str, UNTIL_DECIDED))} seeds, until all is decided; the error is shared out over the looks"
    command.add_argument("--until-decided", action="store_true", help=about)
    command.add_argument("--judge", action="store_true", help="train nothing: judge what is there")
    command.add_argument("--workers", type=int, help="processes on this machine (default: one a core)")
    command.add_argument("--scheduler", help="address of a Dask cluster, tcp://... (default: this machine)")
    about = f"folder of {EVIDENCE} and {REPORT} (default: SEMIDML_CLAIMS, or claims beside the runs)"
    command.add_argument("--out", help=about)


def do_reproduce(asked: argparse.Namespace) -> int:
    if asked.seeds is not None and asked.until_decided:
        raise ValueError("say how many seeds, or --until-decided, not both")
    if asked.seeds is not None and asked.seeds < 1:
        raise ValueError(f"seeds must be 1 or more, got {asked.seeds}")
    claims = choose_claims(asked.claims or ["all"])
    data = list(dict.fromkeys(asked.data or (QUICK_DATA if asked.quick else DATA)))
    for name in data:
        choose(GROUNDS, name, "a data set of the claims")
    folder = Path(asked.out).absolute() if asked.out else places.claims_folder()
    if not asked.judge:
        read_data(data)
    looks = UNTIL_DECIDED if asked.until_decided else (asked.seeds or (QUICK_SEEDS if asked.quick else SEEDS),)
    open_claims, findings = {name: claims for name in data}, {}
    for seeds in looks:
        needed = [one for name in data for one in list_trainings(open_claims[name], name, range(seeds), asked.quick)]
        ended = True if asked.judge else train(needed, asked)
        rows = training.keep_evidence(needed, asked.quick, folder)
        planned = looks if asked.until_decided else ()
        for name in data:
            found = evidence.judge_claims(rows, open_claims[name], name, asked.quick, planned)
            findings |= {(one.claim.name, name): one for one in found}
            open_claims[name] = [one.claim for one in found if "undecided" in one.answers]
        if not ended or not any(open_claims.values()):
            break
    ordered = [findings[claim.name, name] for claim in claims for name in data]
    tell(ordered, folder, asked.quick)
    if not ended:
        print("semidml: stopped: the same command goes on", file=sys.stderr)
    return 0 if ended else 1


def train(trainings: Sequence[Training], asked: argparse.Namespace) -> bool:
    """Train what these sweeps lack, with a progress bar; whether all of them came to their end. Told to end, it stops
    in order."""
    from semidml.sweeps.driver import train_sweep

    with heeded_signals() as signals:

        def train_one(sweep: Sweep) -> bool:
            with progress_bar() as draw:
                places = {"scheduler": asked.scheduler, "workers": asked.workers}
                with closing(train_sweep(sweep, told=lambda: bool(signals), **places)) as steps:
                    for progress in steps:
                        draw(progress)
            return not signals

        def tell(number: int, sweep: Sweep) -> None:
            print(f"{number + 1} of {len(trainings)}: {sweep.name}", file=sys.stderr, flush=True)

        return training.train_all(trainings, train_one, tell)


def tell(findings: Sequence[Finding], folder: Path, quick: bool) -> None:
    """Print each claim's answer with its settings, and write the report."""
    print(report.claim_table(findings))
    content = report.html_report(findings, quick, listing.versions())
    files.replace_file(folder / REPORT, content)
    print(f"\n{folder / REPORT}", file=sys.stderr)
