"""The responder to fanotify permission events, a process of its own."""
