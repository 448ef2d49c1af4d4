"""Labels and probabilities become scores, calibrated probabilities and comparisons; arrays only."""
