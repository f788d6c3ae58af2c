"""RocketMQ's own clients opposite a cluster that only speaks TLS and only to whom its access rules name."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from tests.interop.java import MixedCluster, compiled, why_not
from tests.interop.member_programs import needs_go
from tests.support.certificates import Authority, tls_properties

TOPIC = "Secured"
RULES = """
accounts:
  - {accessKey: user-key, secretKey: user-secret, topicPerms: [Secured=PUB|SUB], groupPerms: [g=SUB]}
  - {accessKey: admin-key, secretKey: admin-secret, admin: true}
"""

pytestmark = pytest.mark.timeout(180)


async def java(class_path: str, home: Path, *arguments: str, tls: bool = True) -> str:
    """Run the client and return what it printed."""
    options = ["-Xmx256m", "-XX:+UseSerialGC", f"-Duser.home={home}", f"-Drocketmq.client.logRoot={home}/logs"]
    options += [f"-Dtls.enable={'true' if tls else 'false'}", "-Dtls.test.mode.enable=true"]
    process = await asyncio.create_subprocess_exec(
        *["java", *options, "-cp", class_path, "Secured", *arguments], stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode()


async def secured(cluster: MixedCluster, tmp_path: Path) -> str:
    """Start a name server and a broker, and return where the name server is."""
    authority = Authority(tmp_path / "ca")
    tls = tls_properties(tmp_path / "tls.properties", authority, "broker")
    properties = {"tls.config.file": tls, "tls.server.mode": "enforcing", "tls.enable": "true"}
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "plain_acl.yml").write_text(RULES)
    nameserver = cluster.nameserver(**properties)
    await nameserver.start()
    broker = cluster.broker(aclEnable="true", aclConfigPath=conf, autoCreateTopicEnable="true", **properties)
    await broker.start()
    return nameserver.address


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
async def test_the_java_client_signs_and_encrypts(cluster: MixedCluster, tmp_path: Path) -> None:
    address = await secured(cluster, tmp_path)
    class_path, home = compiled(Path(__file__).with_name("Secured.java"), tmp_path / "classes"), tmp_path / "home"
    output = await java(class_path, home, address, TOPIC, "g", "user-key", "user-secret")
    assert "sent" in output
    assert "consumed" in output
    refused = await java(class_path, home, address, TOPIC, "g", "user-key", "wrong-secret")
    assert "Check signature failed for accessKey=user-key" in refused
    refused = await java(class_path, home, address, "Other", "g", "user-key", "user-secret")
    assert "No default permission for topic:Other" in refused
    assert "refused" in await java(class_path, home, address, TOPIC, "g", "user-key", "user-secret", tls=False)


async def go(program: Path, *arguments: str) -> str:
    """Run the client and return what it printed."""
    environment = {**os.environ, "HOME": str(program.parent)}
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment
    )
    output, _ = await process.communicate()
    return output.decode()


@needs_go
async def test_the_go_client_signs_and_encrypts(cluster: MixedCluster, tmp_path: Path) -> None:
    program = tmp_path / "go-secured"
    subprocess.run(["go", "build", "-o", program, "."], cwd=Path(__file__).with_name("go_secured"), check=True)
    address = await secured(cluster, tmp_path)
    output = await go(program, address, TOPIC, "g", "user-key", "user-secret", "tls")
    assert output.splitlines() == ["sent 10", "consumed 10"]
    refused = await go(program, address, TOPIC, "g", "user-key", "wrong-secret", "tls")
    assert "Check signature failed for accessKey=user-key" in refused
    assert "refused" in await go(program, address, TOPIC, "g", "user-key", "user-secret", "plain")
