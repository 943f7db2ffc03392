"""Loads what a worker needs: named to a process from which workers are forked."""

from semidml.data import store
from semidml.sweeps import cell

cell._warm_up()
store.load("digits")
