"""Approval by people: what exactly is approved, by whom, and when it is enough."""

from agent.approvals.approving import Given, Standing, answered, approve, count_officers, require, standing, waiting

__all__ = ["Given", "Standing", "answered", "approve", "count_officers", "require", "standing", "waiting"]
