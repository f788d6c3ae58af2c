"""mqadmin checkAcl and checkTls: whether a daemon would take a file of access rules, or of TLS. No cluster is asked.

RocketMQ has no such commands. No secret is printed.
"""

import argparse
import os
from typing import Any, Final

from broker_py.broker.acl.rules import Rules, parse_rules
from broker_py.cli.commands.subcommand import OfflineCommand
from broker_py.cli.options import Exit, Parser, print_error, print_json
from broker_py.errors import ConfigError
from broker_py.runtime.files import DiskFiles
from broker_py.runtime.tls import FileTls, TlsConfig
from broker_py.runtime.yaml_text import load_yaml
from broker_py.seams import read_file


def _file_option(parser: Parser) -> None:
    parser.add_output(outputs=("text", "json"))
    parser.add_argument("file", metavar="FILE", help="the file to look at")


def _check_acl(options: argparse.Namespace) -> int:
    try:
        data = read_file(DiskFiles(), options.file)
    except OSError as error:
        raise ConfigError(f"{options.file} can't be read: {error.strerror or error}") from None
    try:
        file = parse_rules(load_yaml(data, options.file), options.file)
        faults = Rules([file]).warnings
    except ConfigError as error:
        faults = [str(error)]
    if faults:
        return _fail("checkAcl", faults)
    admins = sum(account.admin for account in file.accounts)
    _show(
        options,
        f"{len(file.accounts)} accounts, {admins} of them admins; {len(file.white_texts)} white addresses",
        {"accounts": len(file.accounts), "admins": admins, "whiteAddresses": len(file.white_texts)},
    )
    return Exit.DONE


def _check_tls(options: argparse.Namespace) -> int:
    try:
        tls = FileTls(DiskFiles(), TlsConfig(tls_config_file=os.path.abspath(options.file), tls_enable=True))
    except ConfigError as error:
        return _fail("checkTls", [str(error)])
    serves = tls.server() is not None
    _show(options, "servers and clients can use it" if serves else "clients can use it", {"server": serves})
    return Exit.DONE


def _fail(command: str, faults: list[str]) -> int:
    print_error(f"mqadmin {command}", "\n".join(faults))
    return Exit.FAILED


def _show(options: argparse.Namespace, line: str, data: dict[str, Any]) -> None:
    if options.output == "json":
        print_json(data)
    else:
        print(line)


COMMANDS: Final = {
    "checkAcl": OfflineCommand(_file_option, _check_acl),
    "checkTls": OfflineCommand(_file_option, _check_tls),
}
