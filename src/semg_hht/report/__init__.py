"""What an evaluation found: gathered into one JSON file, and told on one page."""
