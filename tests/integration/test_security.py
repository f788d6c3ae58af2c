"""A master and its slave with access rules, and TLS on every port: what tools see, and who is left out."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.support.certificates import Authority, tls_properties
from tests.support.cluster import Cluster, until

RULES = """
accounts:
  - {accessKey: user-key, secretKey: user-secret, topicPerms: [T=PUB|SUB], groupPerms: [g=SUB]}
  - {accessKey: admin-key, secretKey: admin-secret, admin: true}
"""


def mqadmin(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mqadmin to its end."""
    command = [sys.executable, "-m", "broker_py.cli.mqadmin", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ})


async def test_a_pair_with_access_rules_and_tls_everywhere(cluster: Cluster, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    tls = tls_properties(tmp_path / "tls.properties", authority, "broker", tls__server__need__client__auth="require")
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "plain_acl.yml").write_text(RULES)
    (conf / "tools.yml").write_text("accessKey: admin-key\nsecretKey: admin-secret\n")
    (tmp_path / "user.yml").write_text("accessKey: user-key\nsecretKey: user-secret\n")
    secured = {"tls.config.file": tls, "tls.server.mode": "enforcing", "tls.enable": "true"}
    nameserver = cluster.nameserver(**secured)
    await nameserver.start()
    ruled = {**secured, "aclEnable": "true", "aclConfigPath": conf, "haTlsEnable": "true"}
    master = cluster.broker(**ruled)
    slave = cluster.broker("broker-a", 1, brokerRole="SLAVE", **ruled)
    await master.start()
    await slave.start()

    def admin(*arguments: str, who: Path = conf / "tools.yml") -> subprocess.CompletedProcess[str]:
        return mqadmin(arguments[0], "--tls", str(tls), "--credentials", str(who), *arguments[1:])

    async def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(admin, *arguments)

    made = await ask("updateTopic", "-b", master.address, "-t", "T", "-n", nameserver.address)
    assert made.returncode == 0, made.stderr
    sent = await ask("sendMessage", "-n", nameserver.address, "-t", "T", "-p", "hello")
    assert sent.returncode == 0, sent.stderr

    async def copied() -> bool:
        shown = await ask("haStatus", "-b", master.address, "-n", nameserver.address, "-o", "json")
        return shown.returncode == 0 and '"inSync": true' in shown.stdout

    await until(copied, "the slave follows over TLS", 40)

    async def topics_copied() -> bool:
        shown = await ask("topicStatus", "-n", nameserver.address, "-t", "T")
        return shown.returncode == 0 and "T" in (slave.store / "config" / "topics.json").read_text()

    await until(topics_copied, "the slave signs what it asks its master", 40)

    user = await asyncio.to_thread(
        lambda: admin(
            "updateTopic", "-b", master.address, "-t", "U", "-n", nameserver.address, who=tmp_path / "user.yml"
        )
    )
    assert user.returncode == 1
    assert "Need admin permission for request code=17" in user.stderr
    clear = await asyncio.to_thread(mqadmin, "clusterList", "-n", nameserver.address)
    assert clear.returncode == 3
    (audit_file,) = master.directory.rglob("broker_audit.log")
    audit = audit_file.read_text()
    assert "admin-key UPDATE_AND_CREATE_TOPIC topic=T: done" in audit
    for daemon in (nameserver, master, slave):
        assert "-secret" not in daemon.log() + daemon.output()


async def test_a_master_with_a_certificate_takes_slaves_by_tls_and_in_the_clear(
    cluster: Cluster, tmp_path: Path
) -> None:
    tls = tls_properties(tmp_path / "tls.properties", Authority(tmp_path / "ca"), "broker")
    nameserver = cluster.nameserver(**{"tls.config.file": tls})
    await nameserver.start()
    master = cluster.broker(**{"tls.config.file": tls})
    by_tls = {"tls.config.file": tls, "tls.enable": "true", "haTlsEnable": "true"}
    slaves = [cluster.broker("broker-a", number, brokerRole="SLAVE", **more) for number, more in ((1, by_tls), (2, {}))]
    for broker in (master, *slaves):
        await broker.start()

    async def both_follow() -> bool:
        asked = ("haStatus", "-b", master.address, "-n", nameserver.address, "-o", "json")
        shown = await asyncio.to_thread(mqadmin, *asked)
        return shown.returncode == 0 and shown.stdout.count('"inSync": true') == len(slaves)

    await until(both_follow, "both slaves follow", 40)
