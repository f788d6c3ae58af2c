"""Who a command or a broker signs its requests as: a file like RocketMQ's conf/tools.yml."""

import os

from broker_py.errors import ConfigError
from broker_py.runtime.yaml_text import load_yaml
from broker_py.seams import FileSystem, read_file
from broker_py.wire.signing import Credentials, credentials_of

TOOLS_FILE = "tools.yml"


def read_credentials(files: FileSystem, path: str) -> Credentials:
    """Return the credentials in a file; ConfigError when there are none."""
    try:
        data = read_file(files, path)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror or error}") from None
    return credentials_of(load_yaml(data, path), path)


def tools_credentials(files: FileSystem, path: str | None) -> Credentials | None:
    """Return those of `path`, or, as RocketMQ's tools do, of $ROCKETMQ_HOME/conf/tools.yml if there is one."""
    if path is not None:
        return read_credentials(files, path)
    home = os.environ.get("ROCKETMQ_HOME")
    usual = f"{home}/conf/{TOOLS_FILE}"
    return read_credentials(files, usual) if home and files.exists(usual) else None
