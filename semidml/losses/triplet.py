"""Triplet loss."""
