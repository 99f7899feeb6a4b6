"""Behaviours, one a file."""
