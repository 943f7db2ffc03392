"""Many runs at once: a base setting, values of a few knobs, seeds; as a folder, and as a table of what came of it."""
