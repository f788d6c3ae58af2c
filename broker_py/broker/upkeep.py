"""What the broker writes besides messages, and could not: told to operators, while messages are taken all the same."""

import logging

log = logging.getLogger(__name__)


class Upkeep:
    """Faults by what can't be written. Each is logged when it begins, changes or ends, and not at every try."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}

    def failed(self, what: str, error: BaseException) -> None:
        """`what` (the consumer offsets, the checkpoint) could not be written; it will be tried again."""
        fault = str(error)
        if self._faults.get(what) != fault:
            self._faults[what] = fault
            log.error("%s can't be written, and will be tried again: %s", what, fault)

    def done(self, what: str) -> None:
        """`what` is written."""
        if self._faults.pop(what, None) is not None:
            log.info("%s can be written again", what)

    @property
    def warning(self) -> str | None:
        """All that can't be written, with the reasons; None when all is well."""
        return "; ".join(f"{what} can't be written: {fault}" for what, fault in self._faults.items()) or None
