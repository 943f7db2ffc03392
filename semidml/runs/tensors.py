"""Saved weights and states, taken only where they are what the run's own config makes.

The header of a safetensors file is compared with the model before a tensor is read: names, types, shapes, and that the
tensors cover the file. Then one tensor at a time is read and checked. For an untrusted run the model is made on paper,
torch's meta device, where it takes no memory, however large it would be.
"""

import json
import math
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter, ValidationError

from semidml.config import RunConfig
from semidml.words import damage_words, size_words

if TYPE_CHECKING:  # at run time these would import torch
    from torch import Tensor

WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
MOST_HEADER = 1 << 20  # bytes; that of a ResNet-50's state has 90,000
MOST_FAR = 1e30  # of a saved number, so that its square is finite in float64
MOST_STEPS = 2**53  # of a counter
MOST_SECONDS = 1e10  # of a training
BYTES = {"F32": 4, "F64": 8, "I64": 8, "U8": 1, "BOOL": 1}  # all types that a run saves, as safetensors calls them
BOUNDS = {  # of numbers that have fewer values than their type, by the last part of a tensor's name
    **{"running_var": (0, MOST_FAR), "exp_avg_sq": (0, MOST_FAR)},
    **{"num_batches_tracked": (0, MOST_STEPS), "step": (0, MOST_STEPS), "seconds": (0, MOST_SECONDS)},
    **{"log_vars": (-100, 100), "weights": (0, 1)},  # of a mixture
}

Side = Annotated[int, Field(ge=1, le=512)]  # pixels of an image
Size = Annotated[StrictInt, Field(ge=0, le=2**40)]


class Pictured(BaseModel):
    """What config.json says of a run's images that a model is made for: see `trained_on.describe_data`."""

    shape: tuple[Literal[1, 3], Side, Side]
    class_names: list[str] = Field(max_length=10_000)


class Stored(BaseModel):
    """What a file's header says of a tensor; offsets count from the header's end."""

    model_config = ConfigDict(extra="forbid")

    dtype: Literal["F32", "F64", "I64", "U8", "BOOL"]
    shape: tuple[Size, ...] = Field(max_length=8)
    data_offsets: tuple[Size, Size]


class Kind(NamedTuple):
    """Type and shape of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class Plan(NamedTuple):
    """What a file must hold, what it may hold, in groups of which each is whole or not there, and the names that older
    versions gave to what it must hold."""

    needed: dict[str, Kind]
    optional: tuple[dict[str, Kind], ...] = ()
    older: Mapping[str, str] = {}


HEADER = TypeAdapter(dict[str, Stored])


def read_weights(folder: Path, config: RunConfig, data: Mapping[str, Any] | None) -> "dict[str, Tensor]":
    """The final weights in a run's folder, or those of its last saved state; data: what its config.json says of its
    images.
    Raises: FileNotFoundError when there are none, ValueError when they are not what its config makes of such images."""
    if (folder / WEIGHTS).exists():
        read_header(folder / WEIGHTS)  # before a model is made
        return dict(read_tensors(folder / WEIGHTS, plan_weights(config, data, on_paper=False), config))
    (folder / STATE).stat()
    saved = read_tensors(folder / STATE, plan_state(config, data), config)
    return {name.removeprefix("model."): tensor for name, tensor in saved if name.startswith("model.")}


def read_state(folder: Path, config: RunConfig, data: Mapping[str, Any] | None) -> "dict[str, Tensor]":
    """The saved state in a run's folder.
    Raises: as `read_weights`."""
    return dict(read_tensors(folder / STATE, plan_state(config, data), config))


def check_saved(folder: Path, config: RunConfig, data: Mapping[str, Any] | None, most: int) -> None:
    """Raises ValueError unless the weights and the state in a run's folder are what its config makes, of at most so
    many bytes each; keeps none of them."""
    for name, make_plan in ((WEIGHTS, plan_weights), (STATE, plan_state)):
        if (folder / name).exists():
            plan = make_plan(config, data)
            if (size := sum(count_bytes(kind) for kind in plan.needed.values())) > most:
                raise ValueError(f"the model of this run has {size_words(size)}; at most {size_words(most)} are taken")
            for _ in read_tensors(folder / name, plan, config):
                continue


def read_epoch(path: Path) -> int:
    """The finished epochs of a saved state, by its header and one number; 0 when it cannot be read."""
    try:
        header, start = read_header(path)
        with path.open("rb") as file:
            file.seek(start + header["epoch"].data_offsets[0])
            epoch = int.from_bytes(file.read(BYTES["I64"]), "little", signed=True)
    except (ValueError, OSError, KeyError):
        return 0
    return epoch if 0 <= epoch <= MOST_STEPS else 0


# ---- what a file says of itself


def read_header(path: Path) -> tuple[dict[str, Stored], int]:
    """({name: what is said of the tensor}, where the tensors begin), of a regular file whose tensors cover it exactly.
    Raises: ValueError in words, FileNotFoundError."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
        raise ValueError(f"{path.name} is not a file")
    with path.open("rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise _wrong(path, "it ends before its header does")
        if length > MOST_HEADER:
            raise _wrong(path, f"its header has {size_words(length)}, at most {size_words(MOST_HEADER)} are read")
        text = file.read(length)
    try:
        table = json.loads(text, object_pairs_hook=_named_once)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"its header cannot be read, {str(error)[:200]}") from None
    if not isinstance(table, dict):
        raise _wrong(path, "its header is no table of tensors")
    table.pop("__metadata__", None)
    try:
        header = HEADER.validate_python(table)
    except ValidationError as error:
        raise _wrong(path, f"its header says {damage_words(error)[:200]}") from None
    if not header:
        raise ValueError(f"{path.name} holds no weights")
    at = 0
    for name, stored in sorted(header.items(), key=lambda item: item[1].data_offsets):
        begin, end = stored.data_offsets
        if begin != at or end - begin != count_bytes(Kind(stored.dtype, stored.shape)):
            raise _wrong(path, f"{name[:60]!r} is not where its header says")
        at = end
    if at != size - 8 - length:
        raise _wrong(path, "its tensors are not all of it")
    return header, 8 + length


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name is there twice")
    return table


def count_bytes(kind: Kind) -> int:
    return math.prod(kind.shape) * BYTES[kind.dtype]


def _wrong(path: Path, why: str) -> ValueError:
    return ValueError(f"{path.name} does not hold weights in the safetensors format: {why}")


# ---- what it must say


def plan_weights(config: RunConfig, data: Mapping[str, Any] | None, on_paper: bool = True) -> Plan:
    """What weights.safetensors holds for such a config and images; not on paper the model is made for it.
    Raises: ValueError when nothing is said of the images, or they do not suit the model."""
    return _plan_model(_model_of(config, data, on_paper))


def plan_state(config: RunConfig, data: Mapping[str, Any] | None) -> Plan:
    """What state.safetensors holds for such a config and images: see `Training.state`.
    Raises: ValueError as `plan_weights`."""
    import torch

    from semidml.train.device import optimizer_of

    model = _model_of(config, data, on_paper=True)
    weights = _plan_model(model)
    layer = torch.nn.Linear(3, 2, bias=False)  # of which the optimiser tells what it keeps of each parameter
    optimizer = optimizer_of(config, layer, torch.device("cpu"))
    layer(torch.zeros(1, 3)).sum().backward()
    optimizer.step()
    moments = {
        name: value for name, value in optimizer.state_dict()["state"].get(0, {}).items() if torch.is_tensor(value)
    }
    of_parameters = tuple(
        {
            f"adam.{i}.{name}": Kind(_type_of(value), tuple(parameter.shape if value.dim() else ()))
            for name, value in moments.items()
        }
        for i, parameter in enumerate(model.parameters())
    )  # a parameter without a gradient so far has none
    flag, generator = Kind("BOOL", ()), Kind("U8", tuple(torch.Generator().get_state().shape))
    needed = {f"model.{name}": kind for name, kind in weights.needed.items()}
    needed |= {"epoch": Kind("I64", ()), "seconds": Kind("F64", ())}
    needed |= {"generator": generator, "noise_generator": generator}
    optional = tuple({name: flag} for name in ("moved", "half", *(f"teaching.{term}" for term in model.reads)))
    older = {f"model.{old}": f"model.{new}" for old, new in weights.older.items()}
    return Plan(needed, (*of_parameters, *optional), older | {"global_generator": "noise_generator"})


def _model_of(config: RunConfig, data: Mapping[str, Any] | None, on_paper: bool) -> Any:
    """The untrained model of a config. On paper (torch's meta device) it has shapes and no numbers, and torch loads its
    compiler, 1.3 s, once."""
    import torch

    from semidml.train.task import seeded_model

    if not data:
        raise ValueError("the run does not say which images it was trained on")
    try:
        images = Pictured.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"data of config.json is not what a run holds there: {damage_words(error)}") from None
    with torch.device("meta" if on_paper else "cpu"):
        return seeded_model(config, images.shape, len(images.class_names), overwritten=True)


def _plan_model(model: Any) -> Plan:
    older = {
        f"{path}.{old}": f"{path}.{new}"
        for path, module in model.named_modules()
        for old, new in getattr(module, "older_names", {}).items()
    }
    needed = {name: Kind(_type_of(tensor), tuple(tensor.shape)) for name, tensor in model.state_dict().items()}
    return Plan(needed, (), older)


def _type_of(tensor: "Tensor") -> str:
    import torch

    names = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint8: "U8", torch.bool: "BOOL"}
    return names[tensor.dtype]


# ---- what is in it


def read_tensors(path: Path, plan: Plan, config: RunConfig) -> "Iterator[tuple[str, Tensor]]":
    """(name, tensor), one after the other, each checked before the next one is read.
    Raises: ValueError in words, before the first where the header is not the plan's; FileNotFoundError."""
    from safetensors import SafetensorError, safe_open

    header, _ = read_header(path)
    _compare(path.name, header, plan)
    try:
        with safe_open(path, framework="pt") as file:
            for name in header:
                tensor = file.get_tensor(name)
                _check_numbers(path.name, name, tensor, config)
                yield name, tensor
    except SafetensorError as error:
        raise _wrong(path, str(error)) from None


def _compare(file: str, header: Mapping[str, Stored], plan: Plan) -> None:
    """Raises ValueError, which names the first difference, unless a header is the plan's."""
    given: dict[str, Kind] = {}
    for name, stored in header.items():
        known = plan.older.get(name, name)
        if known in given:
            raise _foreign(file, f"it holds {known} under two names")
        given[known] = Kind(stored.dtype, stored.shape)
    allowed = plan.needed | {name: kind for group in plan.optional for name, kind in group.items()}
    for name, kind in given.items():
        if name not in allowed:
            raise _foreign(file, f"it holds {name[:60]!r}, which the config does not make")
        if kind != allowed[name]:
            raise _foreign(file, f"{name} is {kind} and should be {allowed[name]}")
    lacking = [name for name in plan.needed if name not in given]
    lacking += [name for group in plan.optional if group.keys() & given.keys() for name in group if name not in given]
    if lacking:
        raise _foreign(file, f"it lacks {lacking[0]}")


def _foreign(file: str, why: str) -> ValueError:
    return ValueError(f"{file} does not belong to this run's config: {why}")


def _check_numbers(file: str, name: str, tensor: "Tensor", config: RunConfig) -> None:
    """Raises ValueError unless the numbers of a tensor could have come of a training."""
    import torch

    low, high = BOUNDS.get(name.rpartition(".")[2], (-MOST_FAR, MOST_FAR))
    if name == "epoch":
        low, high = 0, config.epochs
    if name.endswith("generator"):
        try:
            torch.Generator().set_state(tensor)
        except RuntimeError:
            raise ValueError(f"{name} of {file} is not the state of a generator of random numbers") from None
        return
    if tensor.dtype == torch.bool:
        tensor, low, high = tensor.view(torch.uint8), 0, 1
    if tensor.numel() and not bool((tensor.min() >= low) & (tensor.max() <= high)):  # which NaN is not
        raise ValueError(f"{name} of {file} has numbers that no training gives: all lie between {low:g} and {high:g}")
