"""Who touches customer files: access events and the behaviours judged over them."""
