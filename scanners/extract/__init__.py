"""Extractors, one format a file."""
