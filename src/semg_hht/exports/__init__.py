"""A trained run becomes a folder that predicts without torch."""
