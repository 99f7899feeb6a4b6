"""Keys and sealing for people and for the daemon: the operations behind `keys`, `protect`, `open` and `unprotect`."""
