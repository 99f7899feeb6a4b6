"""后勤保障: people and materials, the scene, photos and who has what in hand, beside an incident from `directed` on."""

from agent.logistics.state import logistics_of

__all__ = ["logistics_of"]
