"""What a slave's master says of its log over the ordinary port: requests 26 and 28, which Java's answer, too."""

import logging
from typing import Final

from broker_py.errors import BrokerPyError
from broker_py.model.fields import dict_of, int_of
from broker_py.model.java_properties import parse_properties
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.replication.master_log import MasterLog
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_object

_TIMEOUT_SECONDS: Final = 3.0
log = logging.getLogger(__name__)


class MasterView:
    """Asks the master that `set_master` names."""

    def __init__(self, client: RemotingClient) -> None:
        self._client = client
        self._master: str | None = None

    def set_master(self, address: str | None) -> None:
        """Ask the broker at `address` from now on."""
        self._master = address

    async def describe(self) -> MasterLog | None:
        """Return what the master says of its log, None when it says nothing that can be read."""
        if self._master is None:
            return None
        try:
            table = dict_of(loads_object(await self._ask(self._master, RequestCode.GET_BROKER_RUNTIME_INFO)), "table")
            text = (await self._ask(self._master, RequestCode.GET_BROKER_CONFIG)).decode(errors="replace")
            properties = {each.name: each.value for each in parse_properties(text)}
            return MasterLog(
                min_offset=max(0, int_of(table, "commitLogMinOffset", 0)),
                end=int_of(table, "commitLogMaxOffset", (1 << 63) - 1),
                segment_size=int_of(properties, "mappedFileSizeCommitLog") or None,
            )
        except (BrokerPyError, OSError) as error:
            log.debug("master %s does not describe its log: %s", self._master, error)
            return None

    async def _ask(self, master: str, code: int) -> bytes:
        return expect_success(await self._client.request(master, Command(code), _TIMEOUT_SECONDS)).body
