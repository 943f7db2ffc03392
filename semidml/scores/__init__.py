"""Scores: latents and labels in, numbers out; each known once, in `table`."""
