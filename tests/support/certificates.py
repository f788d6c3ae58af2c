"""Certificates for tests, by the openssl command.

    python -m tests.support.certificates DIRECTORY NAME ...

makes an authority in the directory where there is none, and signs a new certificate for each name, whose key has a
password that is hard to write down.
"""

import subprocess
import sys
from pathlib import Path

PASSWORD = "a \\ pass: w\u00f6rd"


class Authority:
    """A certificate authority in a directory, and what it signs."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        if self.certificate.exists():
            return
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", "/CN=test-ca", "-keyout", str(self._key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)

    def sign(self, name: str, password: str = "") -> tuple[Path, Path]:
        """Return certificate and key (in PKCS#8) of a new pair; the key is encrypted if there is a password."""
        key, request, certificate = (self.directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        encryption = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        command = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *encryption]
        command += ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)]
        subprocess.run(command, check=True, capture_output=True)
        command = ["openssl", "x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey"]
        command += [str(self._key), "-CAcreateserial", "-days", "2", "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        return certificate, key


def tls_properties(path: Path, authority: Authority, name: str, **more: str) -> Path:
    """Write a tls.properties by which a daemon shows the certificate `name` and trusts the authority; return it."""
    certificate, key = authority.directory / f"{name}.pem", authority.directory / f"{name}.key"
    if not certificate.exists():
        authority.sign(name)
    values = {
        "tls.server.certPath": certificate,
        "tls.server.keyPath": key,
        "tls.server.trustCertPath": authority.certificate,
        "tls.client.certPath": certificate,
        "tls.client.keyPath": key,
        "tls.client.trustCertPath": authority.certificate,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items() if value))
    return path


if __name__ == "__main__":
    made = Authority(Path(sys.argv[1]))
    for host in sys.argv[2:]:
        made.sign(host, PASSWORD)
