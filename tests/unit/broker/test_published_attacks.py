"""What was published against RocketMQ, tried here."""

import ast
from pathlib import Path
from typing import Final

import pytest

from broker_py.broker.config import BrokerConfig
from broker_py.errors import ConfigError
from broker_py.nameserver.config import NameserverConfig
from broker_py.remoting.config import ServerConfig
from broker_py.replication.config import ReplicationConfig
from broker_py.runtime.live_config import load_live_config
from broker_py.runtime.logs import LogConfig
from broker_py.runtime.setting import settings_of
from broker_py.runtime.tls import TlsConfig, TlsFiles
from broker_py.store.config import StoreConfig
from broker_py.wire.codes import RequestCode
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.site import Site, a_send

PACKAGE: Final = Path(__file__).parents[3] / "broker_py"
OWNERS: Final = (BrokerConfig, StoreConfig, ReplicationConfig, ServerConfig, TlsConfig, LogConfig)
SERVERS: Final = ("broker", "nameserver", "remoting", "replication", "store", "wire", "message", "model", "runtime")
DANGEROUS_MODULES: Final = {"subprocess", "pickle", "marshal", "shelve", "ctypes", "pty", "code", "multiprocessing"}
DANGEROUS_CALLS: Final = {"eval", "exec", "compile", "__import__", "system", "popen", "execv", "execve", "fork"}


def server_modules() -> list[Path]:
    return sorted(path for package in SERVERS for path in (PACKAGE / package).rglob("*.py"))


@pytest.mark.parametrize("path", server_modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_server_runs_a_command_or_text_as_code(path: Path) -> None:  # CVE-2023-33246, the fastjson family
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & DANGEROUS_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in DANGEROUS_MODULES
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                assert function.id not in DANGEROUS_CALLS
            elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                assert (function.value.id, function.attr) not in {("os", name) for name in DANGEROUS_CALLS}
                assert (function.value.id, function.attr) not in {("yaml", "load"), ("yaml", "unsafe_load")}


@pytest.mark.parametrize("name", ["rocketmqHome", "filterServerNums", "brokerConfigPath", "configStorePath"])
def test_the_properties_of_the_attacks_can_not_be_changed(name: str) -> None:  # CVE-2023-33246, CVE-2023-37582
    files = MemoryFiles()
    for owners in (OWNERS, (NameserverConfig, ServerConfig, TlsConfig, LogConfig)):
        config = load_live_config(files, None, owners)
        with pytest.raises(ConfigError):
            config.update(f"{name}=-c $@|sh . echo id > /tmp/x;\n")
    assert files.dump() == {}


def test_nothing_that_names_a_path_or_a_secret_or_a_port_can_be_changed_by_requests() -> None:
    words = ("path", "dir", "file", "secret", "password", "port", "acl", "tls", "bind", "credential")
    exceptions = {"file_reserved_time", "delete_file_batch_max", "clean_file_forcibly_enable"}
    exceptions |= {"delete_commit_log_files_interval"}
    for owner in (*OWNERS, NameserverConfig, TlsFiles):
        for setting in settings_of(owner):
            if setting.runtime and setting.field not in exceptions:
                assert not setting.metadata.get("path"), setting.name
                assert not any(word in setting.field.split("_") for word in words), setting.name


def test_the_list_of_name_servers_can_be_changed_and_takes_nothing_but_addresses() -> None:
    files = MemoryFiles()
    config = load_live_config(files, None, OWNERS)
    config.update("namesrvAddr=10.0.0.1\\:9876;ns2.example\\:9876\n")
    assert config.get(BrokerConfig).namesrv_addr == ("10.0.0.1:9876", "ns2.example:9876")
    for bad in ("/etc/passwd", "http://x/", "$(id):1", "10.0.0.1", "10.0.0.1:99999", "a b:1", "x:9876;;`id`:1"):
        with pytest.raises(ConfigError, match="namesrvAddr"):
            config.update(f"namesrvAddr={bad}\n")
    assert config.get(BrokerConfig).namesrv_addr == ("10.0.0.1:9876", "ns2.example:9876")


@pytest.mark.parametrize(
    "topic", ["../../x", "a/b", "..", ".", "a\\b", "/etc/passwd", "a\x00b", "x" * 128, "", "a b", "%00/../x"]
)
def test_a_topic_is_no_way_out_of_the_store(topic: str) -> None:  # CVE-2019-17572
    site = Site()
    before = set(site.files.dump())
    reply = site.ask(RequestCode.SEND_MESSAGE_V2, a_send(topic=topic), b"hello")
    assert reply.code != 0
    fields = {
        **{"topic": topic, "defaultTopic": "TBW102", "readQueueNums": 4, "writeQueueNums": 4},
        **{"perm": 6, "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": False},
    }
    assert site.ask(RequestCode.UPDATE_AND_CREATE_TOPIC, fields).code != 0
    assert topic not in site.topics
    assert set(site.files.dump()) == before
