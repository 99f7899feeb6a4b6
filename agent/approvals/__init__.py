"""Approval by people: what exactly is approved, by whom, and when it is enough."""
