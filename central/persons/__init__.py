"""Distinct persons across stores."""
