"""The rules that hold, kept as the files are: a change of them counts within seconds, a bad one not at all."""

import asyncio
import logging
from collections.abc import Callable

from broker_py.broker.acl.files import AclFiles
from broker_py.broker.acl.rules import Rules
from broker_py.errors import ConfigError

log = logging.getLogger(__name__)


class AclService:
    """`rules` are those of the files as they were last sound; `fault` says what is wrong with them now."""

    def __init__(self, files: AclFiles) -> None:
        self.files = files
        self.rules = Rules(())
        self.fault: str | None = None
        self._contents: dict[str, bytes] = {}
        self._refused: dict[str, bytes] | None = None  # what was not sound is parsed once
        self._lock = asyncio.Lock()

    def load(self) -> None:
        """Read the rules for the first time; ConfigError when they are not sound."""
        contents = self.files.read()
        self._take(contents, self.files.parse(contents))

    async def refresh(self) -> None:
        """Look whether files have changed, and take them when they are sound."""
        async with self._lock:
            await self._refresh()

    async def change(self, work: Callable[[], None]) -> None:
        """Have `work` change the files, and take the change; what it raises is raised here."""
        async with self._lock:
            await self._refresh()
            if self.fault is not None:
                raise ConfigError(f"the rules can't be changed while their files are not sound: {self.fault}")
            await asyncio.get_running_loop().run_in_executor(None, work)
            await self._refresh()

    async def _refresh(self) -> None:
        in_thread = asyncio.get_running_loop().run_in_executor
        try:
            contents = await in_thread(None, self.files.read)
            if contents == self._contents:
                self._sound_again()
                return
            if contents == self._refused:
                return
            self._refused = contents
            missing = self._contents.keys() - contents.keys()
            if self.files.main in missing:
                raise ConfigError(f"{self.files.main} is gone")
            rules = await in_thread(None, self.files.parse, contents)
        except (ConfigError, OSError) as error:
            if str(error) != self.fault:
                log.error("the rules of before hold on, since their files are not sound any more: %s", error)
            self.fault = str(error)
            return
        self._take(contents, rules)

    def _take(self, contents: dict[str, bytes], rules: Rules) -> None:
        self._contents, self.rules, self._refused = contents, rules, None
        self._sound_again()
        for warning in rules.warnings:
            log.warning("%s", warning)
        log.info(
            "access rules: %d accounts, %d of them admins, in %s",
            len(rules.accounts),
            sum(account.admin for account in rules.accounts.values()),
            ", ".join(file.path for file in rules.files),
        )

    def _sound_again(self) -> None:
        if self.fault is not None:
            log.info("the files of the access rules are sound again")
        self.fault = None
