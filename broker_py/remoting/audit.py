"""A line for each request that changes something: who asked, for what, and what came of it.

audit: 10.0.0.9:50123 admin-key DELETE_TOPIC_IN_BROKER topic=orders: done
"""

import logging
from collections.abc import Collection, Coroutine
from typing import Any, Final

from broker_py.errors import ProtocolError, RequestRefused
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Handle, Result, Router
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import loads_object
from broker_py.wire.signing import ACCESS_KEY

AUDIT_LOGGER: Final = "broker_py.audit"
log = logging.getLogger(AUDIT_LOGGER)

# What a request is about; no value of a property and no secret is among them.
_TARGETS: Final = (
    *("topic", "group", "groupName", "consumerGroup", "srcGroup", "destGroup", "brokerName", "clusterName"),
    *("namespace", "key", "queueId", "offset", "timestamp", "msgId", "clientId", "accessKey", "globalWhiteAddrs"),
)
_MAX_CHARS: Final = 100
_MAX_BODY_BYTES: Final = 1 << 16
_MAX_NAMES: Final = 50
_NAMES: Final = {code: name for name, code in vars(RequestCode).items() if not name.startswith("_")}
_PROPERTY_CODES: Final = {RequestCode.UPDATE_BROKER_CONFIG, RequestCode.UPDATE_NAMESRV_CONFIG}


class Audit:
    """Notes what the handlers of a router are asked for. `signed` says that access keys were checked before."""

    def __init__(self, *, signed: bool) -> None:
        self._signed = signed

    def watch(self, router: Router, but: Collection[int]) -> None:
        """Note all requests that the router serves now `but` those: the requests of clients, and what only looks."""
        for code in router.codes():
            if code not in but:
                router.wrap(code, self._noting)

    def _noting(self, handle: Handle) -> Handle:
        def serve(command: Command, peer: Peer) -> Result:
            try:
                result = handle(command, peer)
            except Exception as error:
                self._note(command, peer, error)
                raise
            if isinstance(result, Reply):
                self._note(command, peer, result)
            elif result is not None:
                return self._later(result, command, peer)
            return result

        return serve

    async def _later(self, result: Coroutine[Any, Any, Reply], command: Command, peer: Peer) -> Reply:
        try:
            reply = await result
        except Exception as error:
            self._note(command, peer, error)
            raise
        self._note(command, peer, reply)
        return reply

    def _note(self, command: Command, peer: Peer, result: Reply | Exception) -> None:
        who = _short(command.ext.get(ACCESS_KEY, "-")) if self._signed else "-"
        what = _NAMES.get(command.code, str(command.code))
        log.info("%s %s %s%s: %s", peer.name, who, what, _target(command), _outcome(result))


def _outcome(result: Reply | Exception) -> str:
    if isinstance(result, Reply):
        return "done" if result.code == 0 else f"code {result.code}, {_short(result.remark or '')}"
    if isinstance(result, RequestRefused):
        return f"code {result.code}, {_short(result.remark)}"
    return f"failed, {_short(str(result))}"


def _target(command: Command) -> str:
    found = [f"{name}={_short(command.ext[name])}" for name in _TARGETS if name in command.ext]
    if command.code in _PROPERTY_CODES and len(command.body) <= _MAX_BODY_BYTES:
        names = [line.partition("=")[0].strip() for line in command.body.decode(errors="replace").splitlines()]
        found += [_short(name) for name in names[:_MAX_NAMES] if name]
    elif 0 < len(command.body) <= _MAX_BODY_BYTES:
        try:
            body = loads_object(command.body)
        except ProtocolError:
            body = {}
        found += [f"{name}={_short(str(body[name]))}" for name in _TARGETS if name in body]
    return "".join(f" {text}" for text in found)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else text[:_MAX_CHARS] + "..."
