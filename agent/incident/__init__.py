"""Incidents from report to release, their clocks and documents."""
