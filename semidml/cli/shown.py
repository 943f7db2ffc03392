"""Scores and settings as the commands print them."""

from semidml.config import RunConfig
from semidml.scores.meaning import list_left_out
from semidml.scores.table import SCATTER, SCORES
from semidml.words import decimals, value_words


def show_scores(metrics: dict) -> None:
    """Every score with its title and, where it is known, its scatter; what failed with its reason, others with their
    remarks."""
    words = metrics.get("notes", {}) | metrics.get("failed", {})
    for name, score in SCORES.items():
        if name in metrics and not score.is_scatter:
            scatter = metrics.get(f"{name}{SCATTER}")
            value = shown_score(metrics[name]) + ("" if scatter is None else f" ± {shown_score(scatter)}")
            print(f"{score.title:52} {value} {words.get(name, '')}".rstrip())
    print(*list_left_out(metrics), sep="\n", end="\n" * bool(list_left_out(metrics)))


def shown_weight(config: RunConfig) -> str:
    """What the schedule weighs the two losses with, `alpha 0.02`; a dash where there is only one loss."""
    weighed = set(config.entries()["schedule"].knobs) & config.used()
    return ", ".join(f"{name} {value_words(getattr(config, name))}" for name in weighed) or "-"


def shown_score(value: float | None) -> str:
    """A score with four digits; what could not be computed as a dash."""
    return "-" if value is None else decimals(value, 4)
