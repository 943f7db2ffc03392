"""Files, locks and archives."""
