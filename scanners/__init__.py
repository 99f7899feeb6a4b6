"""Discover, extract, detect."""
