"""Sealing, keys, quarantine, processes and evidence. It is handed paths and masked words; it detects nothing."""
