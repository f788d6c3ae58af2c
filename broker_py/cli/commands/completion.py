"""mqadmin completion: what a shell offers for commands, options, and the names of topics, groups and brokers."""

import argparse
import asyncio
from collections.abc import Callable
from typing import Any, Final

from broker_py.cli.catalogue import COMMANDS as CATALOGUE
from broker_py.cli.commands.subcommand import OfflineCommand
from broker_py.cli.options import Exit, Parser

# A candidate with colons (an address) is cut where bash breaks words: it replaces only what is behind the last colon.
_BASH: Final = """\
_mqadmin() {
    local line="${COMP_LINE:0:COMP_POINT}" words candidate cut
    read -r -a words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    local last="${words[${#words[@]}-1]}"
    cut="${last%"${last##*:}"}"
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("${candidate#"$cut"}")
    done < <(mqadmin __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _mqadmin mqadmin
"""
_ZSH: Final = """\
#compdef mqadmin
_mqadmin() {
    local -a candidates
    candidates=("${(@f)$(mqadmin __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -Q -- ${(M)candidates:#?*}
}
compdef _mqadmin mqadmin
"""
_FISH: Final = """\
function __mqadmin_complete
    set -l words (commandline -opc)
    mqadmin __complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c mqadmin -f -a '(__mqadmin_complete)'
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def _options(parser: Parser) -> None:
    parser.add_argument("shell", choices=tuple(_SCRIPTS), help="for which: source <(mqadmin completion bash)")


def _run(options: argparse.Namespace) -> int:
    print(_SCRIPTS[options.shell], end="")
    return Exit.DONE


def candidates(words: list[str], parser_of: Callable[[str], tuple[Parser, Any]]) -> list[str]:
    """Return what may stand for the last of the words behind `mqadmin`, which may be empty or begun."""
    before, current = (words[:-1], words[-1]) if words else ([], "")
    if not before or (before == ["help"]):
        return [name for name in CATALOGUE if name.startswith(current)]
    if before[0] not in CATALOGUE:
        return []
    parser, _ = parser_of(before[0])
    flags = parser._option_string_actions
    action = flags.get(before[-1]) if len(before) > 1 else None
    if action is not None and action.nargs != 0:
        return [each for each in _values(action, before) if each.startswith(current)]
    if current.startswith("-") or not current:
        return [flag for flag in flags if flag.startswith(current)]
    return []


def _values(action: argparse.Action, before: list[str]) -> list[str]:
    if action.choices is not None:
        return [str(each) for each in action.choices]
    return asyncio.run(_names(action.dest, before))


async def _names(kind: str, before: list[str]) -> list[str]:
    from broker_py.cli.names import KINDS, names_of  # noqa: PLC0415  choices don't wait for it
    from broker_py.cli.session import open_client  # noqa: PLC0415

    if kind not in KINDS:
        return []
    namesrv = Parser("mqadmin", "")
    namesrv.add_namesrv()
    namesrv.add_credentials()
    known, _ = namesrv.parse_known_args(before[1:])
    async with open_client(known.namesrv, known.credentials, known.tls) as client:
        return await names_of(client, kind)


COMMANDS: Final = {"completion": OfflineCommand(_options, _run)}
