"""What tests with real processes have in common: they may be coroutines, and they get a cluster."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client_lab import BROKER_PROPERTIES, ClientLab
from tests.support.cluster import CLUSTER_NAME, Cluster
from tests.support.coroutine_tests import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Processes for one test; none of them outlives it."""
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientLab]:
    """A name server and a broker for all tests of a module, which use topics and groups of their own."""
    made = Cluster(tmp_path_factory.mktemp("lab") / "daemons")
    nameserver = made.nameserver()
    broker = made.broker(**BROKER_PROPERTIES)
    try:
        asyncio.run(nameserver.start())
        asyncio.run(broker.start())
        yield ClientLab(nameserver.address, CLUSTER_NAME)
    finally:
        made.close()
