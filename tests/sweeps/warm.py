"""Loads what a worker needs: for processes from which workers are forked. Their runs can go on from half a second
of training, not from five."""

from semidml.data import store
from semidml.runs import writer
from semidml.sweeps import warm

writer.STATE_EVERY = 0.5
warm.load()
store.load("digits")
