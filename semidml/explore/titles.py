"""What settings, knobs, entries of tables and scores read like, on pages and in files to take away."""

import os
from collections.abc import Mapping
from typing import Any

from semidml.config import FAMILIES, RunConfig
from semidml.data import store
from semidml.data.splits import seen_labels
from semidml.methods import MODELS
from semidml.scores.table import SCATTER, SCORES
from semidml.words import decimals, percent, value_words

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


def knob_title(name: str) -> str:
    return NAMES.get(name, name.replace("_", " ").capitalize())


def entry_title(family: str, name: str) -> str:
    """The title of an entry of a family's table, or the name itself (an upload's, a literal's)."""
    entry = FAMILIES.get(family, {}).get(name)
    return entry.title if entry else name


def short_value(value: Any) -> str:
    """A value in a list of settings: a long text is cut, an empty one is a dash."""
    text = value_words(value)
    return f"{text[:23]}…" if len(text) > 24 else text or "–"


def data_title(config: RunConfig) -> str:
    """The title of a config's data set; of a path its end."""
    title = entry_title("data", config.data)
    return os.path.basename(title) or title


def labels_words(config: RunConfig) -> str:
    """How many labels a config sees: `60 labels`, `all labels`."""
    if not MODELS[config.model].facts["labels"]:
        return "no labels"
    try:
        seen = seen_labels(config.pl, store.training(config.data, config.split, "test").official)
    except ValueError:
        return f"{value_words(config.pl)} % of the labels"
    if not seen:
        return "no labels"
    return "all labels" if config.pl == 100 else "1 label" if seen == 1 else f"{seen:,} labels"


def setting_words(config: RunConfig) -> str:
    """A config in words: `MNIST, 60 labels, DML autoencoder`."""
    family = "variant" if "variant" in config.used() else "model"
    named = [data_title(config), labels_words(config), entry_title(family, getattr(config, family))]
    if MODELS[config.model].facts["labels"] and config.prior != "none":
        named.append(entry_title("prior", config.prior))
    return ", ".join(named)


def unusual_words(config: RunConfig) -> list[str]:
    """What differs from what suits a config's data and model, without its labels: `["alpha 0.02", "seed 3"]`."""
    others = config.changed().items()
    return [f"{knob_title(name).lower()} {short_value(value)}" for name, value in others if name != "pl"]


def score_words(name: str, value: float | None) -> str:
    """A score as it is read: shares in percent, others to two digits; a dash where there is none."""
    if value is None:
        return "–"
    score = SCORES[name]
    if score.unit == "share":
        return percent(value)
    if score.unit == "yes or no":
        return "yes" if value else "no"
    return decimals(value, 0 if score.unit == "count" else score.digits)


def score_with_scatter(name: str, scores: Mapping[str, Any]) -> str:
    """A score as it is read, and its standard deviation where it is known: `0.48 ± 0.01`, `91.0 ± 0.4 %`."""
    value, scatter = scores.get(name), scores.get(f"{name}{SCATTER}")
    if value is None or scatter is None:
        return score_words(name, value)
    if SCORES[name].unit == "share":
        return f"{decimals(100 * value, 1)} ± {100 * scatter:.1f} %"
    return f"{score_words(name, value)} ± {max(scatter, 0.0):.{2 if scatter >= 0.005 else 3}f}"
