"""Requests of tools about values kept here, and about the name server's own properties."""

import logging

from broker_py.errors import ConfigError, RequestRefused
from broker_py.model.fields import list_of
from broker_py.nameserver.config import Settings
from broker_py.nameserver.kv_config import KvConfig
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.header import encode_header
from broker_py.wire.headers.nameserver import KvNamespaceRequest, KvReply, KvRequest, PutKvRequest

log = logging.getLogger(__name__)


class ConfigurationHandlers:
    """Serves 47, 100, 101, 102, 219, 318 and 319."""

    def __init__(self, kv: KvConfig, settings: Settings) -> None:
        self._kv = kv
        self._settings = settings

    def install(self, router: Router) -> None:
        """Serve the requests of `router`."""
        router.on(RequestCode.PUT_KV_CONFIG, PutKvRequest, self._put)
        router.on(RequestCode.GET_KV_CONFIG, KvRequest, self._get)
        router.on(RequestCode.DELETE_KV_CONFIG, KvRequest, self._delete)
        router.on(RequestCode.GET_KVLIST_BY_NAMESPACE, KvNamespaceRequest, self._list)
        router.on_command(RequestCode.GET_NAMESRV_CONFIG, self._properties)
        router.on_command(RequestCode.UPDATE_NAMESRV_CONFIG, self._update)
        router.on_command(RequestCode.GET_CLIENT_CONFIG, self._some_properties)

    def _put(self, header: PutKvRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        self._kv.put(header.namespace, header.key, header.value)
        log.info("%s put %s of %s: %s", peer.name, header.key, header.namespace, header.value)
        return Reply()

    def _get(self, header: KvRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        value = self._kv.get(header.namespace, header.key)
        if value is None:
            remark = f"No config item, Namespace: {header.namespace} Key: {header.key}"
            raise RequestRefused(ResponseCode.QUERY_NOT_FOUND, remark)
        return Reply(ext=encode_header(KvReply(value=value)))

    def _delete(self, header: KvRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        self._kv.delete(header.namespace, header.key)
        log.info("%s deleted %s of %s", peer.name, header.key, header.namespace)
        return Reply()

    def _list(self, header: KvNamespaceRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        values = self._kv.values(header.namespace)
        if values is None:
            raise RequestRefused(ResponseCode.QUERY_NOT_FOUND, f"No config item, Namespace: {header.namespace}")
        return Reply(body=dumps({"table": values}))

    def _properties(self, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        return Reply(body=self._settings.text().encode())

    def _some_properties(self, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        names = {str(name) for name in list_of(loads_object(command.body), "keys")}
        return Reply(body=self._settings.text(names).encode())

    def _update(self, command: Command, peer: Peer) -> Reply:
        text = command.body.decode(errors="replace")
        try:
            self._settings.update(text)
        except ConfigError as error:
            log.warning("%s was refused a change of properties: %s", peer.name, error)
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        log.info("%s changed properties: %s", peer.name, " ".join(text.split()))
        return Reply()
