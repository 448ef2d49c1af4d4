"""Why a run answered as it did."""
