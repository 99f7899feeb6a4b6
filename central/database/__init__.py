"""The database of head office: opening, writing, migrations, backup."""
