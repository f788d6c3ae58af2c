"""The client library against a cluster of RocketMQ: the same cases as against ours."""

import pytest

from tests.integration.client_cases import *  # noqa: F403
from tests.integration.client_message_cases import *  # noqa: F403
from tests.interop.java import why_not

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(180),
]
