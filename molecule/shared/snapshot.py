"""What a run that is refused must leave as it was: configuration, programs, units, and the processes that run."""

from collections.abc import Mapping

from testinfra.host import Host

from layout import Layout

# A file that was written has another change time, even if it says the same.
FILES = r"find /etc /opt/broker-py -xdev \( -type f -o -type l \) -printf '%p %C@ %m %u %g %l\n' | sort"


def snapshot(layout: Layout, hosts: Mapping[str, Host]) -> dict[str, list[str]]:
    """Return what there is on each host, a line for each file and each daemon."""
    seen = {}
    for name, host in hosts.items():
        units = sorted(daemon.unit for daemon in layout.daemons if daemon.host == name)
        processes = host.check_output(f"systemctl show --property Id,MainPID,NRestarts,UnitFileState {' '.join(units)}")
        seen[name] = [*host.check_output(FILES).splitlines(), processes]
    return seen
