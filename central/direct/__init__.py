"""Orders to stores, signed by those whom the stores trust."""
