"""The client library against our own cluster."""

from tests.integration.client_cases import *  # noqa: F403
