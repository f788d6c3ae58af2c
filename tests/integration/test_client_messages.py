"""Every kind of message, by our client and our brokers."""

from tests.integration.client_message_cases import *  # noqa: F403
