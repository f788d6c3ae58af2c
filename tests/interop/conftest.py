"""What interop tests have in common: they may be coroutines, and they get a cluster of both kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.java import MixedCluster
from tests.support.coroutine_tests import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MixedCluster]:
    """Daemons for one test, ours and RocketMQ's; none of them outlives it."""
    made = MixedCluster(tmp_path)
    yield made
    made.close()
