"""The page Runs, part by part: which runs, their table, what is done with those that are chosen."""
