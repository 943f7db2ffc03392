"""Whether a setting can be trained here, told before anything is written of it."""

from semidml.config import RunConfig
from semidml.data import find_entry, labels, store
from semidml.data.splits import Training, seen_labels
from semidml.rules import explain_no_labels, explain_too_few


def check_ready(config: RunConfig) -> None:
    """Raises ValueError when the data of a setting are not here or cannot be read, or when they are too few, or of too
    many classes, for it, as far as counts tell."""
    if find_entry(config.data) and not store.is_here(config.data):
        store.load(config.data)  # which says what is missing and where it belongs
    of = store.training(config.data, config.split, config.evaluate_on)
    if problem := explain_unfit(config, of):
        if config.split == "classes":
            classes = "1 class" if of.classes == 1 else f"{of.classes:,} classes"
            problem = f"Split by classes, the training has {of.rows:,} images of {classes}: {problem}"
        raise ValueError(problem)


def explain_unfit(config: RunConfig, of: Training) -> str:
    """Why a setting cannot be trained on so many rows, labels and classes, in words; "" where nothing is known against
    it."""
    problem = explain_too_few(config, of.rows) or explain_no_labels(config, of.labelled, of.classes)
    problem = problem or labels.problem(
        config.pl,
        of.official,
        config.label_sampling,
        of.classes,
        needs_pairs=config.needs_pairs,
        views=config.augment == "on",
        rows=of.labelled,
    )
    if problem or not config.uses_labels or config.augment != "on":
        return problem
    seen = min(seen_labels(config.pl, of.official), of.labelled)  # views fill the block of each class that is seen
    if config.label_sampling == "balanced" or seen == of.labelled:
        sizes, each = [1] * min(of.classes, seen), config.labelled_per_class
        each = labels.fit_per_class(sizes, each, views=True) if config.fits_per_class else each
        return labels.too_large([each] * len(sizes), each)
    return ""
