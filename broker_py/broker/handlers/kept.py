"""Files that slaves copy: requests 45, 60 and 61 (broker processor/AdminBrokerProcessor)."""

from collections.abc import Callable

from broker_py.broker.kept_files import KeptFiles
from broker_py.errors import RequestRefused
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply


class KeptHandler:
    """Hands the files on."""

    def __init__(self, kept: KeptFiles) -> None:
        self._kept = kept

    def register(self, router: Router) -> None:
        """Serve the requests."""
        for code, read in (
            (RequestCode.GET_ALL_DELAY_OFFSET, self._kept.delay_offsets),
            (RequestCode.GET_TIMER_CHECK_POINT, self._kept.timer_checkpoint),
            (RequestCode.GET_TIMER_METRICS, self._kept.timer_metrics),
        ):
            router.on_command(code, _answer(read))


def _answer(read: Callable[[], bytes]) -> Callable[[Command, Peer], Reply]:
    def answer(_command: Command, _peer: Peer) -> Reply:
        try:
            return Reply(body=read())
        except OSError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the file can't be read: {error}") from error

    return answer
