"""Daemon, command line, inventory, watch, incidents and the link to head office."""
