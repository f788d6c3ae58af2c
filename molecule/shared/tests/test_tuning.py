"""What the kernel gets at the next boot; a container can't show what it takes, scenario raid does."""

import pytest
from testinfra.host import Host

SYSCTLS = {"vm.swappiness": "1", "vm.watermark_scale_factor": "100", "net.core.somaxconn": "4096"}


@pytest.mark.parametrize("path", ["/etc/sysctl.d/60-broker-py.conf", "/etc/tmpfiles.d/broker-py.conf"])
def test_settings_are_kept_by_root_for_the_next_boot(host: Host, path: str) -> None:
    assert host.check_output("stat -c '%%U:%%G %%a' %s", path) == "root:root 644"


def test_the_sysctls_of_a_store_are_among_them(host: Host) -> None:
    lines = host.file("/etc/sysctl.d/60-broker-py.conf").content_string.splitlines()
    kept = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
    assert SYSCTLS.items() <= kept.items()
    assert int(kept["vm.dirty_background_bytes"]) < int(kept["vm.dirty_bytes"])
