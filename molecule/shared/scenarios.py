"""Run scenarios with containers one after the other, and print what came of each in a table.

    scenarios.py [--if-possible] [SCENARIO ...]

Without names all of them, but for those that need a virtual machine. What Molecule says goes to the terminal when a
scenario fails, and always to ~/.cache/broker-py/molecule/SCENARIO.log.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence

import engine

MOLECULE = pathlib.Path(__file__).resolve().parents[1]
LOGS = engine.CACHE / "molecule"
SHOWN_LINES = 150

# From the quickest to the slowest, so that what is broken for all shows soon.
IN_ORDER = ("single", "secured", "2m-noslave", "2m-2s-async", "2m-2s-sync", "uninstall", "shrink", "scale", "upgrade")
WITH_MACHINES = frozenset({"raid"})


def scenarios(folder: pathlib.Path = MOLECULE) -> list[str]:
    """Return the scenarios that there are, those that containers can't show left out."""
    found = {file.parent.name for file in folder.glob("*/molecule.yml")} - WITH_MACHINES
    return [name for name in IN_ORDER if name in found] + sorted(found.difference(IN_ORDER))


def table(rows: Sequence[tuple[str, str, float]]) -> str:
    """Return a line for each scenario: its name, its result, and the minutes and seconds that it took."""
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(
        f"{name:<{width}}  {result:<6}  {int(seconds) // 60:>2}:{int(seconds) % 60:02}"
        for name, result, seconds in rows
    )


def environment() -> dict[str, str]:
    """Return the environment for Molecule: ours, and first on PATH the programs of this interpreter, as it calls
    Ansible's by their bare names."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    plain = {"MOLECULE_COMMAND_BORDERS": "false", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
    return {**os.environ, **plain, "PATH": path}


def run(name: str) -> tuple[str, str, float]:
    """Run a scenario and return a row of the table."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    print(f"Scenario {name} ... (tail -f {log})", flush=True)
    started = time.monotonic()
    with log.open("wb") as output:
        status = subprocess.run(
            ["molecule", "test", "--scenario-name", name],
            cwd=MOLECULE.parent,
            env=environment(),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ).returncode
    if status:
        print("\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]))
    return name, "failed" if status else "passed", time.monotonic() - started


def main() -> int:
    """Run the command line; exit status 1 when a scenario failed, or could not run and `--if-possible` isn't said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(scenarios()))
    parser.add_argument("--if-possible", action="store_true", help="leave them out where no Docker engine can be had")
    words = parser.parse_args()
    names = words.scenarios or scenarios()
    try:
        started_here = not WITH_MACHINES.issuperset(names) and engine.start()
    except engine.EngineError as problem:
        print(f"Left out, as they need Docker: {', '.join(names)}. {problem}")
        return 0 if words.if_possible else 1
    try:
        rows = [run(name) for name in names]
    finally:
        if started_here:
            engine.stop()
    print(f"\n{table(rows)}")
    return 0 if all(result == "passed" for _, result, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
