"""Orders of head office at a store: read, checked, carried out once, answered.

Head office asks, the store decides: by the keys it pinned at enrolment (`agent.link.trust`), by its own clock put right
with head office's signed time, by its own settings (`direction.accept`). What it does is what people at the store do
with a command: the same functions and records, in the name of who gave the order. Nothing waits for head office.
"""
