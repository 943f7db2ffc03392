"""RunConfig: one declaration of each knob (type, bounds, default, one-line help).

The command line, the widgets of the pages, the links between them and the table in REFERENCE.md are made from it. No
torch here.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from semidml import rules
from semidml.data import DATASETS, find_entry
from semidml.losses import LOSSES
from semidml.methods import FORMULAS, MODELS, VARIANTS
from semidml.networks import ENCODERS
from semidml.priors import IDLE, PRIORS, given
from semidml.registry import Entry, choose
from semidml.schedules import SCHEDULES
from semidml.words import value_words

FAMILIES: dict[str, Mapping[str, Entry]] = {
    "data": DATASETS,
    "model": MODELS,
    "prior": PRIORS,
    "loss": LOSSES,
    "encoder": ENCODERS,
    "schedule": SCHEDULES,
    "variant": VARIANTS,
    "formulas": FORMULAS,
}
SUITING = ("data", "model", "variant", "formulas")  # families whose entries, together, say what suits other knobs
DECIDING = ("placement", "optimizer", "twin_transform")  # of no family, and yet others have an effect only with some
FEW, MORE = "few", "more"  # which knobs a page shows at once, and which it folds
Positions = Annotated[str, AfterValidator(lambda text: given.positions_text(given.positions_of(text)))]
Weights = Annotated[str, AfterValidator(lambda text: given.weights_text(given.weights_of(text)))]


def knob(default: Any, help: str, group: str = MORE, form: str = "", **bounds: Any) -> Any:
    """form: what a text must look like, in words."""
    return Field(default, description=help, json_schema_extra={"group": group, "form": form}, **bounds)


class RunConfig(BaseModel):
    """Everything that decides a run. Frozen; refuses unknown names and NaN; `RunConfig.of` gives errors in words."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str = knob("digits", "data set: a name of the table, of an upload, or (command line only) a path", FEW)
    model: str = knob("dml-ae", "what is trained", FEW)
    prior: str = knob("none", "where the latents should lie, whatever their labels", FEW)
    alpha: float = knob(
        0.02, "weight of the reconstruction and of the prior: 0 is labels only, 1 is images only", FEW, ge=0, le=1
    )
    gamma: float = knob(
        50.0, "weight of the metric loss beside reconstruction and prior: 0 is images only", FEW, ge=0, le=100_000
    )
    pl: float = knob(100.0, "percentage of the training labels that are seen", FEW, gt=0, le=100)
    latent_dim: int = knob(2, "dimensions of the latent space", FEW, ge=1, le=512)
    schedule: str = knob("joint", "how the two losses take turns", FEW)
    epochs: int = knob(10, "passes over the training images", FEW, ge=1, le=10_000)
    loss: str = knob("triplet", "metric loss of the labelled rows")
    mining: Literal["all", "semihard", "hard"] = knob("all", "which triplets count")
    margin: float = knob(1.0, "how much farther a negative must be, in units of the latent space", gt=0, le=100)
    temperature: float = knob(0.1, "divides the similarities of contrastive losses", ge=0.001, le=100)
    center_weight: float = knob(0.01, "weight of the center term beside the softmax term", ge=0, le=10)
    variant: str = knob("cbswr", "which parts of CBSwR are trained")
    formulas: str = knob(
        "paper", "where the paper and its authors' program differ; other knobs start from what suits each"
    )
    own_centroid: Literal["spared", "counted"] = knob(
        "spared", "whether an image is pushed from its own cluster's centroid too, in the first sum of the metric loss"
    )
    clusters: int = knob(32, "clusters of the clustering head", ge=2, le=500)
    head_dropout: float = knob(
        0.0, "share of an embedding's numbers that the clustering head does not see in a step", ge=0, le=0.95
    )
    clustering_weight: float = knob(0.3, "weight of sure and even clusters", ge=0, le=100)
    marginal_weight: float = knob(1.0, "weight of even clusters beside sure ones", ge=0, le=100)
    l2: float = knob(0.0001, "weight of the clustering head's squared weights", ge=0, le=100)
    metric_weight: float = knob(0.9, "weight of each image near its twin", ge=0, le=100)
    reconstruction_weight: float = knob(0.001, "weight of each image drawn from its cluster's centroid", ge=0, le=100)
    targets: Literal["pixels", "centred"] = knob(
        "pixels", "what is drawn from a centroid: an image's pixels, or their difference from ImageNet's mean colour"
    )
    twins_weight: float = knob(0.0, "weight of an image and its twin in the same cluster", ge=0, le=100)
    twin_transform: Literal["auto", "signs", "photographs"] = knob(
        "auto",
        "how a twin is made: signs turns, scales and shifts, photographs crops, mirrors and changes colours; auto is "
        "what suits the data set",
    )
    twin_strength: float = knob(1.0, "multiplies the twin's amounts: 0 leaves it as it is", ge=0, le=4)
    twin_colours: float = knob(1.0, "multiplies once more how far a photograph's twin changes colours", ge=0, le=4)
    twin_views: Literal["both", "twin"] = knob("twin", "whether an image is transformed as well, or its twin alone")
    positives: Literal["twins", "neighbours"] = knob(
        "twins",
        "what an image is drawn to: its twin, or half the time a view of the training image nearest to it, found anew "
        "for each epoch",
    )
    encoder: str = knob("mlp", "network; the decoder mirrors it")
    pretrained: Literal["no", "imagenet"] = knob("no", "weights that the network starts from")
    augment: Literal["off", "on"] = knob("off", "turn, scale and shift the labelled images, each time anew")
    label_sampling: Literal["uniform", "balanced"] = knob("uniform", "how the seen labels are drawn")
    labelled_per_class: int = knob(
        20, "rows of each seen class in a step; the default, where classes are many, is as many as fit", ge=2, le=256
    )
    warmup_epochs: float = knob(
        0.0, "epochs of the metric loss alone at the start; a fraction is allowed", ge=0, le=1000
    )
    reconstruction: Literal["sum", "mean"] = knob("sum", "reconstruction error summed or averaged over pixels")
    likelihood: Literal["bernoulli", "gaussian"] = knob("bernoulli", "of a pixel, given its latent")
    beta: float = knob(1.0, "weight of the KL divergence from the prior beside the reconstruction", ge=0, le=1000)
    beta_warmup_epochs: float = knob(0.0, "epochs over which beta rises from 0; a fraction is allowed", ge=0, le=1000)
    kl_samples: int = knob(1, "samples of each image's posterior for the KL divergence", ge=1, le=64)
    balance: Literal["none", "sinkhorn"] = knob(
        "none", "sinkhorn shares the images of a step over components by weight"
    )
    components: int = knob(10, "components of the mixture; vertices always have 2^latent_dim", ge=1, le=500)
    placement: Literal["vertices", "lattice", "sphere", "given"] = knob("vertices", "where the components lie")
    positions: Positions = knob(
        "", "where the components of placement given lie, in latent units", form="a component a semicolon: 0,0; 2.5,0"
    )
    component_weights: Weights = knob(
        "", "weights of the components, relative to one another; none: all equal", form="a number a component: 1,1,2"
    )
    component_spacing: float = knob(2.0, "distance of neighbouring components, in latent units", gt=0, le=1000)
    component_log_var: float = knob(1.0, "log of each component's variance: 1 is a sigma of 1.65", ge=-12, le=6)
    pseudo_inputs: int = knob(100, "components of a VampPrior, each the posterior of a learned image", ge=1, le=500)
    pseudo_init: Literal["images", "noise"] = knob("images", "what the pseudo-inputs start from")
    batch_size: int = knob(256, "images of a step", ge=2, le=8192)
    last_batch: Literal["filled", "dropped"] = knob(
        "filled", "what becomes of an epoch's last images, too few for a step: filled up with others, or left out"
    )
    optimizer: Literal["adam", "sgd"] = knob("adam", "what turns gradients into steps")
    momentum: float = knob(0.9, "share of a step of sgd that the next one repeats: 0 is none", ge=0, le=0.999)
    lr: float = knob(0.001, "learning rate", gt=0, le=1)
    lr_decay: Literal["none", "cosine"] = knob("none", "how the learning rate falls over the training")
    split: Literal["official", "classes"] = knob(
        "official", "classes trains on the first half of the classes and is scored on the other half"
    )
    evaluate_on: Literal["test", "validation"] = knob(
        "test", "which split the scores are of; validation is for choosing settings"
    )
    seed: int = knob(0, "of the weights, the seen labels and the order of the images", ge=0, le=2**31 - 1)
    device: Literal["auto", "cpu", "cuda", "mps"] = knob("auto", "where the training runs")
    precision: Literal["auto", "float32", "bfloat16"] = knob(
        "auto",
        "of the networks' products while they train; auto takes bfloat16 where that is faster here and known to be as "
        "accurate",
    )

    @model_validator(mode="before")
    @classmethod
    def _suit_the_data(cls, values: Any) -> Any:
        """Fill what was not given from the data set's, then the formulas' and then the model's own defaults."""
        if not isinstance(values, Mapping):
            return values
        names = {family: values.get(family, cls.model_fields[family].default) for family in SUITING}
        data, model, variant, formulas = (
            FAMILIES[family].get(name) if isinstance(name, str) else None for family, name in names.items()
        )
        data = data or (find_entry(names["data"]) if isinstance(names["data"], str) else None)
        suited = dict(model.defaults) if model else {}
        if model and variant and formulas and "variant" in model.knobs and "formulas" in variant.knobs:
            suited |= formulas.defaults
        suited |= data.defaults if data else {}
        if model and data and "images" in model.facts:
            suited["epochs"] = max(1, round(model.facts["images"] / data.facts["train"]))
        return suited | dict(values)

    @field_validator(*(family for family in FAMILIES if family != "data"))
    @classmethod
    def _known(cls, name: str, info: Any) -> str:
        return choose(FAMILIES[info.field_name], name, info.field_name).name

    @field_validator("data")
    @classmethod
    def _named(cls, name: str) -> str:
        if not name.strip() or len(name) > 1000 or "\0" in name:
            raise ValueError(
                f"data must be one of {', '.join(DATASETS)}, an upload's name, or a path; got {name[:40]!r}"
            )
        return name

    @model_validator(mode="after")
    def _makes_sense(self) -> "RunConfig":
        rules.check_choices(self)
        return self

    def component_count(self) -> int:
        """How many components a Gaussian mixture of this config has."""
        return given.count(self.placement, self.components, self.latent_dim, self.positions)

    @classmethod
    def kept(cls, values: Mapping[str, Any]) -> "RunConfig":
        """The config of a run's file, which is whole but for knobs that are younger than it: whatever formulas it has,
        these were then as suits the paper's, so that it trains what it always trained.
        Raises: ValueError as `of`."""
        plain = cls.of({**values, "formulas": "paper"} if values.get("formulas") == "authors" else values)
        young = {name: getattr(plain, name) for entry in FORMULAS.values() for name in entry.defaults}
        return cls.of({**young, **values})

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "RunConfig":
        """A config from names and values (numbers may be text).
        Raises: ValueError that says what is allowed, in words."""
        try:
            return cls(**{str(k): v for k, v in values.items()})
        except ValidationError as error:
            problems = error.errors()
        known, sentences = declared_knobs(), []  # one sentence a field: `alpha must be between 0 and 1, got nan`
        for problem in problems:
            name = str(problem["loc"][0]) if problem["loc"] else ""
            if problem["type"] == "value_error":
                sentences.append(str(problem["ctx"]["error"]))
            elif name not in known:
                sentences.append(f"there is no knob called {name[:60]!r}; there are {', '.join(known)}")
            else:
                given_text = value_words(problem["input"])[:60] or "nothing"
                sentences.append(f"{name} must be {allowed(known[name])}, got {given_text}")
        raise ValueError("; ".join(sentences))

    def entries(self) -> dict[str, Entry]:
        """The chosen entry of each family (the data set's only when it is one of the table)."""
        return {f: table[getattr(self, f)] for f, table in FAMILIES.items() if getattr(self, f) in table}

    def make(self, family: str, *arguments: Any) -> Any:
        """What the chosen entry of a family makes of the arguments and of its own knobs."""
        entry = self.entries()[family]
        return entry.resolve()(*arguments, **{name: getattr(self, name) for name in entry.knobs})

    def term_weights(self) -> dict[str, float]:
        """The weight of each term of the chosen variant of CBSwR."""
        return {term: getattr(self, f"{term}_weight") for term in VARIANTS[self.variant].facts["terms"]}

    def weights(self, epoch: int = 1, step: int = 0) -> tuple[float, float]:
        """(w_S, w_U) of the schedule in a step, warm-up aside. In the first step each is positive that ever is."""
        return self.make("schedule", epoch, step)

    @property
    def uses_labels(self) -> bool:
        """Whether the metric loss is ever computed."""
        model = MODELS[self.model]
        weighs = "schedule" not in model.knobs or self.weights()[0] > 0 or self.warmup_epochs > 0
        return model.facts["labels"] and weighs

    @property
    def needs_pairs(self) -> int:
        """How many classes must have a positive pair for the metric loss to say anything; 0 where there is none."""
        if not (self.uses_labels and "loss" in MODELS[self.model].knobs):
            return 0
        return 2 if LOSSES[self.loss].facts["needs"] == "two positive pairs" else 1

    @property
    def by_direction(self) -> bool:
        """Whether the training is of directions alone, so that scores and alarms are of directions."""
        model = MODELS[self.model]
        return self.loss_by_direction if "loss" in model.knobs else model.facts["directions"]

    @property
    def loss_by_direction(self) -> bool:
        """Whether it is the chosen metric loss that learns from directions alone: the encoder gives lengths, too."""
        has_loss = self.uses_labels and "loss" in MODELS[self.model].knobs
        return has_loss and LOSSES[self.loss].facts["normalised"]

    @property
    def on_sphere(self) -> bool:
        """Whether nothing at all reads how long a latent is, neither the loss nor a decoder or a prior: latents are
        then given as directions, of length 1."""
        facts = MODELS[self.model].facts
        return self.by_direction and not (facts["decoder"] or facts["prior"])

    @property
    def fits_per_class(self) -> bool:
        """Whether labelled_per_class is what suits data and model by default: a step then holds as many rows of each
        class as fit, where that is fewer (`labels.fit_per_class`)."""
        suited = self._suit_the_data({name: getattr(self, name) for name in SUITING})
        usual = type(self).model_fields["labelled_per_class"].default
        return self.labelled_per_class == suited.get("labelled_per_class", usual)

    @property
    def drops_last(self) -> bool:
        """Whether the last images of an epoch, too few for a step, are left out."""
        return self.last_batch == "dropped" and "last_batch" in self.used()

    @property
    def seeks_neighbours(self) -> bool:
        """Whether the nearest training images are found anew for each epoch."""
        return self.positives == "neighbours" and "positives" in self.used()

    @property
    def draws_clusters(self) -> bool:
        """Whether a decoder learns to draw the centroids of clusters."""
        weighs = "reconstruction_weight" in self.used() and self.reconstruction_weight > 0
        return MODELS[self.model].facts["clusters"] and weighs

    @property
    def trains_decoder(self) -> bool:
        """Whether there is a decoder that learns: without one, or with its weight at 0, reconstructions mean
        nothing."""
        model = MODELS[self.model]
        weighs = "schedule" not in model.knobs or (self.weights()[1] > 0 and self.warmup_epochs < self.epochs)
        return model.facts["decoder"] and weighs

    def used(self) -> set[str]:
        """Names of the knobs that have an effect with these choices: those that no entry of a table asks for, and those
        that a chosen one asks for, if its own family has an effect."""
        asked = self.in_use()[1]
        idle = set(IDLE[self.placement]) if self.prior == "gmm" and "prior" in asked else set()
        idle |= {"twin_colours"} if self.twin_transform == "signs" else set()
        idle |= {"momentum"} if self.optimizer != "sgd" else set()
        idle |= {"l2"} if self.formulas == "authors" else set()  # their program has no R
        return asked - idle

    def in_use(self) -> tuple[dict[str, Entry], set[str]]:
        """(the chosen entry of each family that has an effect, the knobs that no entry of a table asks for, and those
        that one of these does)."""
        choosable = {name for family in FAMILIES.values() for entry in family.values() for name in entry.knobs}
        asked, entries = set(type(self).model_fields) - choosable, {}
        for family, entry in self.entries().items():  # in the order of FAMILIES: the model before what it asks for
            if family in asked:
                entries[family] = entry
                asked |= set(entry.knobs)
        return entries, asked

    def changed(self, other: "RunConfig | None" = None) -> dict[str, Any]:
        """Knobs whose values differ from `other`'s, or from what this data set and model, and the formulas where they
        are not the model's own, give by default."""
        base = other or type(self)(data=self.data, model=self.model)
        suited = base if other else type(self)(**{name: getattr(self, name) for name in SUITING})
        return {k: v for k, v in self.model_dump().items() if v != getattr(base if k in SUITING else suited, k)}

    def command(self) -> str:
        """The command line that does the same."""
        words = ["python -m semidml train", f"--data {shlex.quote(self.data)}", f"--model {self.model}"]
        for name, value in self.changed().items():
            mark = "=" if declared_knobs()[name].form else " "  # such a text may begin with a minus
            words.append(f"--{name.replace('_', '-')}{mark}{shlex.quote(value_words(value))}")
        return " ".join(words)


@dataclass(frozen=True)
class Knob:
    """A field of RunConfig as a widget or a command-line option needs it."""

    name: str
    kind: type
    default: Any
    help: str
    group: str
    choices: tuple[str, ...] = ()  # empty: a number, or a text
    form: str = ""  # of a text
    low: float | None = None
    high: float | None = None
    low_is_open: bool = False  # the lower bound itself is refused


def declared_knobs() -> Mapping[str, Knob]:
    """Every knob, in the order of their declaration."""
    return _knobs_choosing(tuple((family, tuple(table)) for family, table in FAMILIES.items()))


@lru_cache(maxsize=8)
def _knobs_choosing(families: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[str, Knob]:
    """Every knob, where the tables of the families have these names: a page asks some dozens of times."""
    choices, knobs = dict(families), {}
    for name, field in RunConfig.model_fields.items():
        literal = get_origin(field.annotation) is Literal
        bounds = {key: getattr(m, key) for m in field.metadata for key in ("ge", "gt", "le") if hasattr(m, key)}
        knobs[name] = Knob(
            name=name,
            kind=str if literal else field.annotation,
            default=field.default,
            help=field.description,
            **field.json_schema_extra,
            choices=get_args(field.annotation) if literal else choices.get(name, ()),
            low=bounds.get("ge", bounds.get("gt")),
            high=bounds.get("le"),
            low_is_open="gt" in bounds,
        )
    return MappingProxyType(knobs)


def allowed(knob: Knob) -> str:
    """What a knob accepts, in words."""
    if knob.choices:
        return f"one of {', '.join(knob.choices)}"
    if knob.low is None:
        return f"a text, {knob.form}"
    article = "a whole number " if knob.kind is int else ""
    if knob.low_is_open:
        return f"{article}above {knob.low:g} and at most {value_words(knob.high)}"
    return f"{article}between {value_words(knob.low)} and {value_words(knob.high)}"
