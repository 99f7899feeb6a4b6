"""The only process that talks to the network."""
