"""Training: something you iterate over. `fit` begins or resumes one."""

from semidml.train.loop import fit

__all__ = ["fit"]
