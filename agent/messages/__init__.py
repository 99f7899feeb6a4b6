"""Messages to people and what comes back: the one way in which the other rooms tell somebody something.

Everything goes through a queue in the database; the link, the only process with a network, sends it. See `sending`
for how to tell people, `inbox.HANDLERS` for who takes what they answer.
"""

from agent.messages.batches import Row, send_batch
from agent.messages.codes import redeem
from agent.messages.queue import deliveries
from agent.messages.records import Answer, Delivery, Message
from agent.messages.sending import send, tell, tell_with_code

__all__ = [
    "Answer", "Delivery", "Message", "Row", "deliveries", "redeem", "send", "send_batch", "tell", "tell_with_code",
]  # fmt: skip
