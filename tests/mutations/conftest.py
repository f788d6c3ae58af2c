"""Tests with mutations may be coroutines, and those with processes get a cluster."""

from tests.integration.conftest import cluster
from tests.support.coroutine_tests import pytest_pyfunc_call

__all__ = ["cluster", "pytest_pyfunc_call"]
