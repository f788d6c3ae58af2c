"""The fixture of the modules that talk to a cluster."""

from collections.abc import Iterator

import pytest

from tests.unit.client.fake_cluster import FakeCluster


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """A cluster of fakes that is gone after the test."""
    with FakeCluster() as running:
        yield running
