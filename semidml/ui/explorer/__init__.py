"""The page Explore, part by part."""
