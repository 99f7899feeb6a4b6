"""Two lines a week: how it is, and what needs somebody; to whom it concerns, once."""
