"""Commands of `cloche-hq`, one a file."""
