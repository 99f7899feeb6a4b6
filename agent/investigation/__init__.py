"""技术调查: scope, manner and cause of an incident, from what the watch, the evidence and the inventory hold."""
