"""Parts of the page Many at once: its plan, the sweep that is shown, its sheet, charts and table, what is done."""
