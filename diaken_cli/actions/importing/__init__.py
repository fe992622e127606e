"""`hosts import`: a source is read into candidates, these become one plan, the plan is applied."""
