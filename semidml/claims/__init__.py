"""What the two papers claim, as sweeps to train and verdicts to compute from them. No torch here.

`grounds` are the data sets on which claims are asked, `table` the claims, `plans` the sweeps that they need, `evidence`
the rows that these give and what they say, `report` that in words and pictures."""
