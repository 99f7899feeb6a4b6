"""What lies where: items and findings, never a value."""
