"""What does not go together in a config, and what is worth knowing of one, in words."""

from typing import TYPE_CHECKING

from semidml.data import find_entry
from semidml.methods import MODELS, method_of, models_of
from semidml.priors import MOST_COMPONENTS, PRIORS, given
from semidml.schedules import SCHEDULES

if TYPE_CHECKING:
    from semidml.config import RunConfig


def check_choices(config: "RunConfig") -> None:
    """Raises ValueError where choices that are allowed one by one do not go together."""
    model = MODELS[config.model]
    facts = model.facts
    if "variant" in model.knobs and not any(config.term_weights().values()):
        names = ", ".join(f"{name}_weight" for name in config.term_weights())
        raise ValueError(f"all weights are 0, so that nothing would be trained: raise one of {names}")
    for family, entry in config.in_use()[0].items():
        for name, (most, why) in entry.facts.get("most", {}).items():
            if (value := getattr(config, name)) > most:
                raise ValueError(f"{name} must be at most {most:,} for the {family} {entry.name}, {why}, got {value:,}")
    data = find_entry(config.data)
    if data and (problem := explain_too_few(config, data.facts["train"])):
        raise ValueError(problem)
    if facts["labels"] and not (facts["decoder"] or facts["prior"]) and not config.weights()[0]:
        weight, models = SCHEDULES[config.schedule].knobs[0], models_of(method_of(config.model).name)
        more = [name for name, entry in models.items() if entry.facts["decoder"] or entry.facts["prior"]]
        raise ValueError(
            f"{weight} = {getattr(config, weight):g} leaves {config.model} without any loss: choose another {weight}"
            + (f", or the model {more[0]}" if more else "")
        )
    if config.by_direction and config.latent_dim == 1:
        what = f"the loss {config.loss}" if config.loss_by_direction else config.model
        raise ValueError(
            f"latent_dim must be at least 2 for {what}, which learns from directions, got 1: on a line a direction "
            "is a sign, which no training can change" + (", or choose another loss" * config.loss_by_direction)
        )
    without_labels = not (config.weights()[0] or config.warmup_epochs)
    if facts["prior"] and not facts["decoder"] and config.beta == 0 and without_labels:
        raise ValueError(
            f"beta = 0 leaves {config.model} without any loss where labels have no weight: raise beta, or give these "
            "some"
        )
    with_prior = [name for name, entry in MODELS.items() if entry.facts["prior"]]
    if config.prior != "none" and config.model not in with_prior:
        raise ValueError(f"{config.model} has no prior: choose one of the models {', '.join(with_prior)}")
    if config.prior == "none" and config.model in with_prior:
        raise ValueError(f"{config.model} needs a prior: one of {', '.join(name for name in PRIORS if name != 'none')}")
    if config.prior == "gmm":
        check_placement(config)
    for name in ("beta_warmup_epochs", "warmup_epochs"):
        if (epochs := getattr(config, name)) > config.epochs:
            raise ValueError(f"{name} must be at most epochs ({config.epochs}), got {epochs:g}")


def check_placement(config: "RunConfig") -> None:
    """Raises ValueError where so many components have no such place, or not as many weights."""
    dim, k = config.latent_dim, config.components
    if config.placement == "vertices" and 2**dim > MOST_COMPONENTS:
        raise ValueError(
            f"a cube in latent_dim {dim} has 2^{dim} = {2**dim:,} vertices, and at most {MOST_COMPONENTS:,} "
            "components are possible: choose placement sphere, or a smaller latent_dim"
        )
    if config.placement == "lattice" and dim != 2:
        raise ValueError(f"a lattice lies in the plane: latent_dim must be 2, got {dim}; placement sphere fits any")
    if config.placement == "sphere" and dim == 1 and k > 2:
        raise ValueError(f"a sphere in one dimension has two points: components must be at most 2, got {k}")
    if config.placement == "given":
        positions = given.positions_of(config.positions)
        if not positions:
            raise ValueError("placement given needs positions, like 0,0; 2.5,0: one component a semicolon")
        if len(positions[0]) != dim:
            raise ValueError(
                f"positions must have as many coordinates as latent_dim, {dim}, and have {len(positions[0])}"
            )
    k, weights = config.component_count(), given.weights_of(config.component_weights)
    if weights and len(weights) != k:
        raise ValueError(f"component_weights must be as many as there are components, {k:,}, got {len(weights):,}")


def explain_too_few(config: "RunConfig", rows: int) -> str:
    """Why so many training images are too few for a config, in words; "" when they are enough."""
    if config.prior == "vamp" and config.pseudo_inputs > rows:
        return f"pseudo_inputs must be at most the number of training images, {rows:,}, got {config.pseudo_inputs:,}"
    if config.drops_last and config.batch_size > rows:
        return (
            f"with last_batch dropped, batch_size must be at most the number of training images, {rows:,}, got "
            f"{config.batch_size:,}: lower it, or choose last_batch filled"
        )
    if config.seeks_neighbours and rows < 2:
        return "positives neighbours needs at least 2 training images: choose positives twins"
    return ""


def explain_no_labels(config: "RunConfig", labels: int, classes: int) -> str:
    """Why a config cannot learn from so many labelled training images of so many classes, in words, with what can be
    trained instead; "" when it learns from none, or there are two classes."""
    if not config.needs_pairs or (labels and classes >= 2):
        return ""
    which = "the images with a label are all of one class" if labels else "no training image has a label"
    without = [name for name, entry in MODELS.items() if not entry.facts["labels"]]
    instead = [f"{name}, which needs no label" for name in without]
    knob = SCHEDULES[config.schedule].knobs[0]
    ways = {value: config.model_copy(update={knob: value}).weights() for value in (0.0, 1.0)}
    if unsupervised := [value for value, (supervised, images) in ways.items() if images and not supervised]:
        models = models_of(method_of(config.model).name)
        able = [config.model] if MODELS[config.model].facts["decoder"] else []
        able = able or [name for name, entry in models.items() if entry.facts["decoder"]][:1]
        instead += [f"{name} with {knob} {unsupervised[0]:g}, which learns from images alone" for name in able]
    return f"{which}, and {config.model} learns from labels of two classes or more: train {', or '.join(instead)}"


def list_remarks(config: "RunConfig") -> list[str]:
    """What works and is still worth knowing before a training, in sentences."""
    remarks, data = [], find_entry(config.data)
    if data is not None and data.facts.get("split", config.split) != config.split:
        remarks.append(
            f"Scores of {data.title} that are published in metric learning are of classes that the training has "
            "not seen: to compare with them, choose the split by classes."
        )
    if "clusters" in config.used() and config.clusters > config.batch_size:
        remarks.append(
            f"A step of {config.batch_size:,} images cannot fill {config.clusters:,} clusters: some are empty in every "
            "step, and the entropy of the clusters cannot reach its best value. Raise batch_size to at least "
            f"{config.clusters:,}, or lower clusters."
        )
    return remarks
