"""Discover, extract, detect."""

import os

# One thread for BLAS, before anything here starts numpy: for the small matrices of the name tagger a second one makes a
# busy machine five times slower (0.8 s → 4.6 s for 20,000 characters, measured), and a worker has one core to itself.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
