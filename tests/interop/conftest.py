"""What interop tests have in common: they may be coroutines, and they get a cluster of both kinds."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.java import MixedCluster
from tests.support.client_lab import BROKER_PROPERTIES, ClientLab
from tests.support.cluster import CLUSTER_NAME
from tests.support.coroutine_tests import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MixedCluster]:
    """Daemons for one test, ours and RocketMQ's; none of them outlives it."""
    made = MixedCluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientLab]:
    """A name server and a broker of RocketMQ for all tests of a module."""
    made = MixedCluster(tmp_path_factory.mktemp("lab") / "daemons")
    nameserver = made.java_nameserver()
    broker = made.java_broker(**BROKER_PROPERTIES, messageIndexEnable="true")
    try:
        asyncio.run(nameserver.start())
        asyncio.run(broker.start())
        yield ClientLab(nameserver.address, CLUSTER_NAME)
    finally:
        made.close()
