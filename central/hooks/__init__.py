"""News for programs of the chain: found by comparing with what was told before, delivered signed, at least once."""
