"""A forked child opens connections of its own and leaves those of its parent alone."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client.forked_scripts import Run


class Answer(BaseHTTPRequestHandler):
    """Answers with the number of the connection, which it keeps."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        super().setup()
        Answer.connections += 1
        self.number = Answer.connections

    def do_GET(self) -> None:
        body = b'{"id": %d, "name": "", "status": "", "phases": []}' % self.number
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def certificate(path: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_child_leaves_the_connections_of_its_parent_alone(run: Run, tmp_path: Path, scheme: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    file = certificate(tmp_path / "certificate.pem")
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        said = run(
            """
client = Client(journal=None)
first = client.open(1).id
before = set(os.listdir("/proc/self/fd"))

def work():
    own = client.open(1).id
    assert own != first
    client.close()
    client._session.transport._idle.clear()
    open_files = {file: Path(f"/proc/self/fd/{file}") for file in os.listdir("/proc/self/fd")}
    targets = [str(path.readlink()) for file, path in open_files.items() if file in before and path.is_symlink()]
    assert not [target for target in targets if target.startswith("socket:")], targets

wait(fork(work, clean=True), fork(work))
for _ in range(3):
    assert client.open(1).id == first
client.close()
""",
            url=f"{scheme}://localhost:{server.server_port}",
            SSL_CERT_FILE=str(file),
        )
        assert said == ""
    finally:
        server.shutdown()
        server.server_close()
