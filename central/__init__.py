"""Head office: collect, direct, show."""
