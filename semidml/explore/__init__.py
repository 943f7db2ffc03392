"""Questions to a run: what its map, pictures and tables show."""
