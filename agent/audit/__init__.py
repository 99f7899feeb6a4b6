"""The record of every act: an append-only, hash-chained log that an outsider can verify without Cloche.

What a chain does not give: whoever holds the store's seal key (root does) can write a whole new chain, and a tail
cut off after the last signed head cannot be noticed from the file alone. The heads are therefore anchored outside
(at head office, or printed): `verify(..., anchored=head)`.
"""

from agent.audit.log import AuditLog
from agent.audit.operations import export_operation, retention_operation, verify_operation
from agent.audit.verify import AuditState, Head, verify

__all__ = ["AuditLog", "AuditState", "Head", "export_operation", "retention_operation", "verify", "verify_operation"]
