"""Settings, errors, logging, texts and the packs of data. The lowest layer: it imports no other room."""
