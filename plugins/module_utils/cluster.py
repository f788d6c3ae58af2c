"""What the modules that talk to a cluster share: the release they borrow broker_py from, a client, and errors.

broker_py is no library of the host's Python: it lives in the virtual environment behind `bin_dir`, so a module imports
from it only after `run` has made it importable.
"""

from __future__ import annotations

import asyncio
import glob
import importlib
import os
import site
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker_py.client.client import Client

Params = Mapping[str, Any]
Result = dict[str, Any]

CLUSTER_OPTIONS: dict[str, Any] = {
    "nameservers": {"type": "str", "required": True},
    "bin_dir": {"type": "path", "required": True},
    "credentials_file": {"type": "path"},
    "tls_config_file": {"type": "path"},
}
TARGET_OPTIONS: dict[str, Any] = {
    "cluster": {"type": "str"},
    "brokers": {"type": "list", "elements": "str"},
}
TARGET_RULES: dict[str, Any] = {
    "required_one_of": [("cluster", "brokers")],
    "mutually_exclusive": [("cluster", "brokers")],
}
NEEDED_PYTHON = (3, 10)


class ClusterFault(Exception):
    """The module fails with this sentence, and returns `facts` with it."""

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.facts = facts


def run(module: Any, work: Callable[[Client, Params, bool], Awaitable[Result]]) -> None:
    """Have `work(client, parameters, check mode)` done and end the module with its result, or with a sentence."""
    try:
        use_release(module.params["bin_dir"])
        result = _do(module, work)
    except ClusterFault as fault:
        module.fail_json(msg=str(fault), **fault.facts)
    except ImportError as error:
        module.fail_json(
            msg=f"The release behind bin_dir {module.params['bin_dir']} lacks what this collection needs ({error}):"
            " install the release that belongs to the collection there, or set bin_dir to where it is."
        )
    else:
        module.exit_json(**result)


def use_release(bin_dir: str) -> None:
    """Make the broker_py importable that the commands in `bin_dir` run; ClusterFault when there is none."""
    if sys.version_info < NEEDED_PYTHON:
        raise ClusterFault(
            f"This module needs Python {NEEDED_PYTHON[0]}.{NEEDED_PYTHON[1]} and runs with {sys.version.split()[0]}"
            f" ({sys.executable}): set ansible_python_interpreter to a newer one."
        )
    environment = os.path.dirname(bin_dir.rstrip("/"))
    for directory in sorted(glob.glob(os.path.join(environment, "lib", "python3*", "site-packages"))):
        site.addsitedir(directory)
    try:
        importlib.import_module("broker_py")
    except ImportError:
        raise ClusterFault(
            f"There is no broker_py in {environment}, the virtual environment of bin_dir {bin_dir}:"
            " install a release there first, or set bin_dir to where one is."
        ) from None


def _do(module: Any, work: Callable[[Client, Params, bool], Awaitable[Result]]) -> Result:
    from broker_py.cli.session import open_client  # noqa: PLC0415  importable only now
    from broker_py.errors import BrokerPyError  # noqa: PLC0415

    async def main() -> Result:
        credentials, tls = (_named_file(module, option) for option in ("credentials_file", "tls_config_file"))
        async with open_client(module.params["nameservers"], credentials, tls) as client:
            return await work(client, module.params, module.check_mode)

    try:
        return asyncio.run(main())
    except BrokerPyError as error:
        raise ClusterFault(sentence(error)) from None


def _named_file(module: Any, option: str) -> str | None:
    """Return the path in an option; in check mode the tasks before may not have made the file yet."""
    path: str | None = module.params.get(option) or None
    if path is not None and module.check_mode and not os.path.exists(path):
        return None
    return path


async def masters(client: Client, params: Params) -> dict[str, str]:
    """Return the addresses of the masters that TARGET_OPTIONS name, by their broker names."""
    from broker_py.admin.targets import masters_of  # noqa: PLC0415  importable only now

    found = await masters_of(client, cluster=params["cluster"], broker_names=params["brokers"] or ())
    return {broker.broker_name: broker.address for broker in found}


def sentence(error: Exception) -> str:
    """Return an error's text without the links to documentation that a remark may go on with."""
    return str(error).partition("\n")[0]
