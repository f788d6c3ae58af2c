"""What tests with real processes have in common: they may be coroutines, and they get a cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.coroutine_tests import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Processes for one test; none of them outlives it."""
    made = Cluster(tmp_path)
    yield made
    made.close()
