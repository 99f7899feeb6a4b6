"""Masked forms: what may be shown of a value."""

from __future__ import annotations


def mask_value(entity: str, value: str) -> str:
    """The masked form of `value`."""
    raise NotImplementedError


def mask_text(text: str) -> str:
    """`text` with every value in it masked."""
    raise NotImplementedError
