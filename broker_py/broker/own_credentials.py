"""How a broker signs what it asks others, followed as its file changes."""

import logging
from collections.abc import Callable

from broker_py.errors import ConfigError
from broker_py.remoting.client import RemotingClient
from broker_py.wire.signing import Credentials

log = logging.getLogger(__name__)


class OwnCredentials:
    """Has `client` sign with what `read` returns now; while that raises ConfigError, with what it returned before."""

    def __init__(self, read: Callable[[], Credentials | None], client: RemotingClient) -> None:
        self._read = read
        self._client = client
        self._fault: str | None = None

    async def refresh(self) -> None:
        """Look at the file again."""
        try:
            self._client.sign_as(self._read())
            self._fault = None
        except ConfigError as error:
            if str(error) != self._fault:
                log.error("requests are signed as before, since the file says nothing sound: %s", error)
            self._fault = str(error)
