"""People: accounts, rights, the record of what they did."""
