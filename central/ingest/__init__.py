"""Reports of stores, taken in."""
