"""Reports: an evaluation as one JSON file and one HTML page, a session card, and the texts in two languages."""
