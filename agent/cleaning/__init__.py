"""Clean-up of an incident (现场清理): what becomes of each affected item, restored with proof, and what risk stays."""
