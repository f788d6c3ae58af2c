"""TLS contexts made of the files that RocketMQ's tls.properties names (remoting netty/TlsHelper, TlsSystemConfig).

TLS 1.2 at least. A peer's certificate is checked against the trusted ones, not against the peer's name, as in Java:
addresses of brokers are IP addresses, which certificates seldom have.
"""

import hashlib
import logging
import os
import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from broker_py.errors import ConfigError
from broker_py.model.java_properties import parse_properties
from broker_py.runtime.config_file import load_config
from broker_py.seams import FileSystem, read_file

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 5.0
USUAL_FILE: Final = "/etc/rocketmq/tls.properties"


class ClientAuth(Enum):
    """Whether clients must show a certificate; Java's words."""

    none = ssl.CERT_NONE
    optional = ssl.CERT_OPTIONAL
    require = ssl.CERT_REQUIRED


@dataclass(frozen=True, kw_only=True)
class TlsConfig:
    """Where the settings are, and whether connections that are dialled (name servers, brokers) are TLS.

    Java takes them as system properties; the file it looks for when none is named need not be there.
    """

    tls_config_file: str = field(default=USUAL_FILE, metadata={"property": "tls.config.file", "path": True})
    tls_enable: bool = field(default=False, metadata={"property": "tls.enable"})


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """What tls.properties says; paths are relative to the working directory.

    Unlike in Java, a server's certificate is checked unless `tls.client.authServer` is false, and no certificate is
    made up: `tls.test.mode.enable` only means that a client checks nothing.
    """

    test_mode: bool = field(default=False, metadata={"property": "tls.test.mode.enable"})
    need_client_auth: ClientAuth = field(default=ClientAuth.none, metadata={"property": "tls.server.need.client.auth"})
    server_key: str = field(default="", metadata={"property": "tls.server.keyPath", "path": True})
    server_key_password: str = field(default="", metadata={"property": "tls.server.keyPassword"})
    server_certificate: str = field(default="", metadata={"property": "tls.server.certPath", "path": True})
    server_auth_client: bool = field(default=False, metadata={"property": "tls.server.authClient"})
    server_trust: str = field(default="", metadata={"property": "tls.server.trustCertPath", "path": True})
    client_key: str = field(default="", metadata={"property": "tls.client.keyPath", "path": True})
    client_key_password: str = field(default="", metadata={"property": "tls.client.keyPassword"})
    client_certificate: str = field(default="", metadata={"property": "tls.client.certPath", "path": True})
    client_auth_server: bool = field(default=True, metadata={"property": "tls.client.authServer"})
    client_trust: str = field(default="", metadata={"property": "tls.client.trustCertPath", "path": True})

    @property
    def paths(self) -> list[str]:
        """All files that are named."""
        named = (
            self.server_key,
            self.server_certificate,
            self.server_trust,
            self.client_key,
            self.client_certificate,
            self.client_trust,
        )
        return [path for path in named if path]


class FileTls:
    """`remoting.tls.TlsContexts` of files, which may change while the daemon runs: new connections get what is new.

    ConfigError at the beginning when they can't be used; later the former ones hold on.
    """

    def __init__(self, files: FileSystem, config: TlsConfig) -> None:
        self._files = files
        self._config = config
        self._server: ssl.SSLContext | None = None
        self._client: ssl.SSLContext | None = None
        self._fault: str | None = None
        self._seen = ""
        self._load()

    def server(self) -> ssl.SSLContext | None:
        """What accepted connections get; None without a certificate."""
        return self._server

    def client(self) -> ssl.SSLContext | None:
        """What dialled connections get; None unless tls.enable is true."""
        return self._client

    def refresh(self) -> None:
        """Take changed files when they are sound, else say why not, once."""
        try:
            if self._load():
                log.info("TLS: certificates were read anew; new connections get them")
            self._fault = None
        except ConfigError as error:
            if str(error) != self._fault:
                log.error("TLS: the certificates of before hold on, since their files are not sound: %s", error)
            self._fault = str(error)

    def _load(self) -> bool:
        settings, text = self._settings()
        seen = self._digest(text, settings.paths)
        if seen == self._seen:
            return False
        server = server_context(settings) if settings.server_certificate else None
        if server is None and self._server is not None:
            raise ConfigError(f"{self._config.tls_config_file}: tls.server.certPath is gone")
        client = client_context(settings) if self._config.tls_enable else None
        self._server, self._client, self._seen = server, client, seen
        return True

    def _settings(self) -> tuple[TlsFiles, bytes]:
        path = self._config.tls_config_file
        try:
            text = read_file(self._files, path)
        except FileNotFoundError:
            if path != USUAL_FILE:
                raise ConfigError(f"tls.config.file: there is no {path}") from None
            text = b""
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror or error}") from None
        properties = parse_properties(text.decode("latin-1"), os.path.basename(path))
        loaded = load_config(properties, TlsFiles, home=os.path.expanduser("~"), directory=os.getcwd())
        return loaded.get(TlsFiles), text

    def _digest(self, text: bytes, paths: list[str]) -> str:
        digest = hashlib.sha256(text)
        for path in paths:
            try:
                digest.update(hashlib.sha256(read_file(self._files, path)).digest())
            except OSError as error:
                raise ConfigError(f"{path} can't be read: {error.strerror or error}") from None
        return digest.hexdigest()


def server_context(settings: TlsFiles) -> ssl.SSLContext:
    """Return what a server uses; ConfigError names the file that can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    _load_pair(context, "server", settings.server_certificate, settings.server_key, settings.server_key_password)
    if settings.need_client_auth is not ClientAuth.none:
        if not settings.server_trust:
            raise ConfigError("tls.server.need.client.auth needs tls.server.trustCertPath: whose certificates count?")
        _trust(context, settings.server_trust)
        context.verify_mode = settings.need_client_auth.value
    return context


def client_context(settings: TlsFiles) -> ssl.SSLContext:
    """Return what a client uses; ConfigError names the file that can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    context.check_hostname = False
    if settings.test_mode or not settings.client_auth_server:
        context.verify_mode = ssl.CERT_NONE
    elif settings.client_trust:
        _trust(context, settings.client_trust)
    else:
        context.load_default_certs()
    if settings.client_certificate:
        _load_pair(context, "client", settings.client_certificate, settings.client_key, settings.client_key_password)
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION


def _load_pair(context: ssl.SSLContext, side: str, certificate: str, key: str, password: str) -> None:
    try:
        # Without a password of ours OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key or None, lambda: password)
    except (OSError, ValueError) as error:
        raise ConfigError(f"tls.{side}.certPath {certificate} and keyPath {key}: {_reason(error)}") from None


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise ConfigError(f"trustCertPath {path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"they can't be used: {error.reason or 'not in PEM form, or the wrong password'}"
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
