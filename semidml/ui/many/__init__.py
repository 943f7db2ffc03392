"""Parts of the page Many at once: the plan, the sweep that is shown, its sheet, charts and table, what is done with it."""
