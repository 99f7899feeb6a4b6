"""Tables that leave head office as files: CSV, xlsx and JSON, written as they are read."""
