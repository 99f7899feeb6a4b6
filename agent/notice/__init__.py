"""Affected persons and what they are told: counted on the store, listed under seal, told once (预案 四.3 客户通知)."""
