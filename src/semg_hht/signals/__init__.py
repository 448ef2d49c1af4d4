"""Recordings in physical units: reading, filtering, cutting and simulating them. Knows nothing of IMFs or networks."""
