"""The security check of this machine: what an intruder may have left, and whether what protects is there."""

from agent.security_check.checking import accept, keep_baseline, last_check, run_check
from agent.security_check.records import CheckResult, Finding

__all__ = ["CheckResult", "Finding", "accept", "keep_baseline", "last_check", "run_check"]
