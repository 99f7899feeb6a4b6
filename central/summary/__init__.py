"""Figures kept beside what stores told, so that pages over all stores never read every place of every store."""
