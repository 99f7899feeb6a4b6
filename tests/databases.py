"""Databases of both kinds for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from postgres import Cluster, run_cluster

BOTH: Final = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.needs("postgres")))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for all tests that do not stop it."""
    with run_cluster() as running:
        yield running


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hq.db'}"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.create()
