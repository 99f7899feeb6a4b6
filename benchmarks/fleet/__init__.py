"""A fleet of simulated stores."""
