"""An empty database."""

from pathlib import Path

import pytest

from diaken_cli.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "diaken.db"


@pytest.fixture
def store(database: Path) -> Store:
    return Store(database)
