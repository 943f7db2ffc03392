"""The app's background thread and its warm worker processes."""
