"""Lets requests pass or says why not, in the order and the words of Java (acl plain/PlainPermissionManager)."""

import hmac
import logging
from collections.abc import Callable
from typing import Final

from broker_py.broker.acl.requests import is_trace, needs_of
from broker_py.broker.acl.rules import Rules
from broker_py.errors import ProtocolError, RequestRefused
from broker_py.remoting.peer import Peer
from broker_py.seams import Clock
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.signing import ACCESS_KEY, SIGNATURE, signature_of, signed_content

log = logging.getLogger(__name__)

_REFUSAL: Final = "org.apache.rocketmq.acl.common.AclException: "
_QUIET_SECONDS: Final = 1.0


class Gate:
    """Checks each request of a router before its handler gets it. `rules` gives those that hold now."""

    def __init__(self, rules: Callable[[], Rules], clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._next_line = 0.0
        self._unsaid = 0

    def check(self, command: Command, peer: Peer) -> None:
        """Return when the request may be served; RequestRefused otherwise."""
        reason = self._reason(command, peer.host)
        if reason is not None:
            self._tell(command, peer, reason)
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, _REFUSAL + reason)

    def _reason(self, command: Command, host: str) -> str | None:
        rules = self._rules()
        if rules.is_white(host):
            return None
        access_key = command.ext.get(ACCESS_KEY)
        if access_key is None:
            return "No accessKey is configured"
        account = rules.accounts.get(access_key)
        if account is None:
            return f"No acl config for {access_key[:100]}"
        if account.white.matches(host):
            return None
        signature = signature_of(signed_content(command), account.secret_key).encode()
        if not hmac.compare_digest(signature, command.ext.get(SIGNATURE, "").encode(errors="replace")):
            return f"Check signature failed for accessKey={access_key}"
        try:
            needs = needs_of(command)
        except ProtocolError as error:
            return f"what the request is about can't be read: {error}"
        if needs is None:
            if account.admin:
                return None
            return f"Need admin permission for request code={command.code}, but accessKey={access_key} is not"
        if is_trace(needs):
            return None
        missing = account.missing(needs)
        return None if missing is None else f"No default permission for {missing}"

    def _tell(self, command: Command, peer: Peer, reason: str) -> None:
        """A line a second at most: who is refused may ask as often as it likes."""
        now = self._clock.monotonic()
        if now < self._next_line:
            self._unsaid += 1
            return
        others = f" ({self._unsaid} more were refused before)" if self._unsaid else ""
        log.warning("refused request %d of %s: %s%s", command.code, peer.name, reason, others)
        self._next_line, self._unsaid = now + _QUIET_SECONDS, 0
