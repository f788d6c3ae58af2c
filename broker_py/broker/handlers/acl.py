"""The access rules, for tools: requests 50 to 54 (broker processor/AdminBrokerProcessor)."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from broker_py.broker.acl.files import MASK, AccountChange
from broker_py.broker.acl.rules import ANY, DENY, PUB, SUB, Account, Rules
from broker_py.broker.acl.service import AclService
from broker_py.broker.config import BrokerConfig
from broker_py.errors import ConfigError, RequestRefused
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import (
    AccessAccountRequest,
    DeleteAccountRequest,
    GlobalWhiteAddressesRequest,
)

Later = Coroutine[Any, Any, Reply]

_OFF: Final = "this broker has no access rules: aclEnable is false"
_TEXTS: Final = {DENY: "DENY", PUB: "PUB", SUB: "SUB", PUB | SUB: "PUB|SUB", ANY: "ANY"}


class AclHandler:
    """Shows and changes the rules of `acl`, which is None where they are not enabled."""

    def __init__(self, config: BrokerConfig, acl: AclService | None) -> None:
        self._config = config
        self._acl = acl

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.UPDATE_AND_CREATE_ACL_CONFIG, AccessAccountRequest, self.put_account)
        router.on(RequestCode.DELETE_ACL_CONFIG, DeleteAccountRequest, self.delete_account)
        router.on_command(RequestCode.GET_BROKER_CLUSTER_ACL_INFO, self.versions)
        router.on(RequestCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG, GlobalWhiteAddressesRequest, self.set_white_list)
        router.on_command(RequestCode.GET_BROKER_CLUSTER_ACL_CONFIG, self.show)

    def put_account(self, header: AccessAccountRequest, _command: Command, _peer: Peer) -> Later:
        """Make an account, or change what is given of it."""
        change = AccountChange(
            access_key=header.access_key,
            secret_key=header.secret_key,
            white_address=header.white_remote_address,
            admin=header.admin,
            default_topic=header.default_topic_perm,
            default_group=header.default_group_perm,
            topics=_items(header.topic_perms),
            groups=_items(header.group_perms),
        )
        return self._change(
            ResponseCode.UPDATE_AND_CREATE_ACL_CONFIG_FAILED, lambda acl: acl.files.put_account(acl.rules, change)
        )

    def delete_account(self, header: DeleteAccountRequest, _command: Command, _peer: Peer) -> Later:
        """Remove an account."""
        return self._change(
            ResponseCode.DELETE_ACL_CONFIG_FAILED, lambda acl: acl.files.delete_account(acl.rules, header.access_key)
        )

    def set_white_list(self, header: GlobalWhiteAddressesRequest, _command: Command, _peer: Peer) -> Later:
        """Replace a file's global white list."""
        patterns = _items(header.global_white_addrs) or []
        return self._change(
            ResponseCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG_FAILED,
            lambda acl: acl.files.set_white_list(acl.rules, patterns, header.acl_file_full_path),
        )

    def versions(self, _command: Command, _peer: Peer) -> Reply:
        """Return how often tools have changed each file."""
        acl = self._enabled()
        versions = {file.path: file.version.to_json() for file in acl.rules.files}
        main = versions.get(acl.files.main, {"counter": 0, "stateVersion": 0, "timestamp": 0})
        ext = {
            "version": dumps(main).decode(),
            "allAclFileVersion": dumps(versions).decode(),
            "brokerName": self._config.broker_name,
            "brokerAddr": self._config.address,
            "clusterName": self._config.broker_cluster_name,
        }
        return Reply(ext=ext)

    def show(self, _command: Command, _peer: Peer) -> Reply:
        """Return the rules, without the secrets."""
        rules: Rules = self._enabled().rules
        body = {
            "globalWhiteAddrs": [text for file in rules.files for text in file.white_texts],
            "plainAccessConfigs": [_shown(account) for account in rules.accounts.values()],
        }
        return Reply(body=dumps(body))

    def _enabled(self, code: int = ResponseCode.SYSTEM_ERROR) -> AclService:
        if self._acl is None:
            raise RequestRefused(code, _OFF)
        return self._acl

    async def _change(self, code: int, work: Callable[[AclService], None]) -> Reply:
        acl = self._enabled(code)
        try:
            await acl.change(lambda: work(acl))
        except (ConfigError, OSError) as error:
            raise RequestRefused(code, str(error)) from None
        return Reply()


def _items(text: str | None) -> list[str] | None:
    return None if text is None else [item.strip() for item in text.split(",") if item.strip()]


def _shown(account: Account) -> dict[str, Any]:
    return {
        "accessKey": account.access_key,
        "admin": account.admin,
        "defaultGroupPerm": _TEXTS[account.default_group],
        "defaultTopicPerm": _TEXTS[account.default_topic],
        "groupPerms": [f"{name}={_TEXTS[owned]}" for name, owned in account.groups.items()],
        "secretKey": MASK,
        "topicPerms": [f"{name}={_TEXTS[owned]}" for name, owned in account.topics.items()],
        "whiteRemoteAddress": account.white_text,
    }
