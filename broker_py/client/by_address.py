"""Single requests to a broker by its address: what all who ask brokers for tools share."""

from typing import Final

from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.command import NO_BODY, Command
from broker_py.wire.header import encode_header

TIMEOUT_SECONDS: Final = 5.0
RELAY_TIMEOUT_SECONDS: Final = 12.0  # a broker gives the client that it asks 10 s


class ByAddress:
    """Asks brokers; each request raises Unreachable or RequestFailed."""

    def __init__(self, remoting: RemotingClient) -> None:
        self._remoting = remoting

    async def _ask(
        self,
        address: str,
        code: int,
        header: object | None = None,
        body: bytes = NO_BODY,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Command:
        ext = None if header is None else encode_header(header)
        return expect_success(await self._remoting.request(address, Command(code, ext, body), timeout_seconds))
