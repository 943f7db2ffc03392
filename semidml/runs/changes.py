"""What a person does to a run: stop, rename, delete."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # at run time these would import torch
    pass


OWN = {"config.json", "status.json", "lock", "history.jsonl", "rows.npz", "frames", "projections", "metrics.json"}
OWN |= {"state.safetensors", "weights.safetensors", "stop", "error.txt"}  # all that a run's folder may hold
