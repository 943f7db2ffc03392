"""Runs: folders with one writer and any number of readers."""
