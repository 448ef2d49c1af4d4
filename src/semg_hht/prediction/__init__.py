"""Open a run, load recordings and matrices for it, and predict."""
