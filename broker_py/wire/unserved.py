"""Why a daemon does not serve a request of RocketMQ 5.1.0, for those who sent it (remoting protocol/RequestCode)."""

from typing import Final

_STATIC: Final = "there are no static topics: a topic's queues are those of its brokers"
_ACTING: Final = "a slave never acts as a master here"
_CONTROLLER: Final = "there is no controller mode: a master is named by its configuration"
_CONTAINER: Final = "there are no broker containers: each broker is a process of its own"
_FILTER_SERVERS: Final = "there are no filter servers: consumers choose by tags or SQL92 (enablePropertyFilter)"
_NOBODY: Final = "RocketMQ 5.1.0 names it, and no daemon serves it"

UNSERVED: Final = {
    **dict.fromkeys((13, 22, 23, 27, 209, 210, 211, 212, 213, 214), _NOBODY),
    **dict.fromkeys((301, 302), _FILTER_SERVERS),
    513: _STATIC,
    **dict.fromkeys((902, 903), _CONTAINER),
    **dict.fromkeys((905, 906), _ACTING),
    **dict.fromkeys((1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011), _CONTROLLER),
}
"""Code → why neither brokers nor name servers serve it."""
OF_NAME_SERVERS: Final = frozenset(
    {
        *(47, 100, 101, 102, 103, 104, 105, 106, 205, 206, 216, 217, 219, 224, 304),
        *(311, 312, 313, 318, 319, 322, 327, 901, 904),
    }
)
OF_CLIENTS: Final = frozenset({39, 40, 220, 221, 326})
_LAST: Final = 200_055


def why_no_broker(code: int) -> str:
    """Return why a broker does not serve a request, as the end of a sentence; empty for a code nobody knows."""
    if code in OF_NAME_SERVERS:
        return ": it is for a name server, and this is a broker"
    return _why(code)


def why_no_name_server(code: int) -> str:
    """Return why a name server does not serve a request, as the end of a sentence; empty for a code nobody knows."""
    why = _why(code)
    if why or not (code < 1000 or 200_050 <= code <= _LAST):
        return why
    return ": it is for a broker, and this is a name server"


def _why(code: int) -> str:
    if code in OF_CLIENTS:
        return ": it is for a client"
    reason = UNSERVED.get(code)
    return f": {reason}" if reason else ""
