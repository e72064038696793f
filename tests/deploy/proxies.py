"""Real proxies with the configurations of deploy/, in front of two servers of the site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.servers import ROOT, Uvicorn, free_port

DEPLOY = ROOT / "deploy"
PROXY_ADDRESS, CLIENT_ADDRESS = "127.0.0.1", "127.0.0.9"
NAMES = ("progress.example.com", "www.example.com")
SECONDS = 30.0


def binary(name: str) -> str | None:
    """Return the path of a program: one of a Python package, one on the path, or one that only root has there."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class TLSUvicorn(Uvicorn):
    """A server behind a proxy, as docs/deployment.md starts it."""

    program = (*Uvicorn.program, "--no-proxy-headers", "--ws-max-size", "65536", "--timeout-graceful-shutdown", "10")


@dataclass
class Front:
    """A running proxy: its process and the address of the site behind it."""

    process: subprocess.Popen[bytes]
    origin: str
    prefix: str
    log: Path

    @property
    def url(self) -> str:
        """The public address of the site."""
        return f"{self.origin}{self.prefix}"

    def client(self, **given: Any) -> httpx.Client:
        """Return a client at another address than the proxy's."""
        transport = httpx.HTTPTransport(verify=False, local_address=CLIENT_ADDRESS)
        return httpx.Client(transport=transport, base_url=self.url, timeout=SECONDS, **given)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of localhost, and return it and its key."""
    made, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    for file in (folder, made, key):
        file.chmod(0o755)
    return made, key


def at(text: str, replacements: Mapping[str, str]) -> str:
    """Replace each text, which must be there."""
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not in the example"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, ports: Sequence[int], prefix: str, port: int, **mistakes: str) -> list[str]:
    """Write the configuration of nginx around the example, with each old text replaced, and return the command."""
    cert, key = certificate(folder)
    snippet = folder / "progress-proxy.conf"
    snippet.write_text(at((DEPLOY / "nginx" / "progress-proxy.conf").read_text(), mistakes))
    example = (DEPLOY / "nginx" / ("progress-subpath.conf" if prefix else "progress.conf")).read_text()
    changes = {
        "127.0.0.1:8000": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:8001": f"127.0.0.1:{ports[1]}",
        "listen 443 ssl": f"listen {PROXY_ADDRESS}:{port} ssl",
        "/etc/ssl/progress/fullchain.pem": str(cert),
        "/etc/ssl/progress/privkey.pem": str(key),
        "snippets/progress-proxy.conf": str(snippet),
    }
    if not prefix:
        changes["listen 80"] = f"listen {PROXY_ADDRESS}:{free_port()}"
    site = at(example, changes)
    for name in NAMES:
        site = site.replace(name, "localhost")
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\ndaemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\n"
        "events {}\n"
        f"http {{\naccess_log off;\n{temporary}\n{site}\n}}\n"
    )
    return ["nginx", "-c", str(file), "-e", "stderr"]


def caddy(folder: Path, ports: Sequence[int], prefix: str, port: int) -> list[str]:
    """Write the Caddyfile with a certificate of ours, and return the command."""
    cert, key = certificate(folder)
    example = (DEPLOY / "caddy" / "Caddyfile").read_text()
    upstreams = " ".join(f"127.0.0.1:{port}" for port in ports)
    values = {
        "{$SITE_ADDRESS:progress.example.com} {": f"https://localhost:{port} {{\n\ttls {cert} {key}\n\tbind 127.0.0.1",
        "{$SITE_UPSTREAMS:127.0.0.1:8000 127.0.0.1:8001}": upstreams,
        "{$PATH_PREFIX}": prefix,
    }
    file = folder / "Caddyfile"
    file.write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{at(example, values)}")
    return ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]


def haproxy(folder: Path, ports: Sequence[int], prefix: str, port: int) -> list[str]:
    """Write the configuration of HAProxy, and return the command."""
    cert, key = certificate(folder)
    both = folder / "haproxy.pem"
    both.write_text(cert.read_text() + key.read_text())
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    changes = {
        "127.0.0.1:8000": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:8001": f"127.0.0.1:{ports[1]}",
        "bind :443": f"bind {PROXY_ADDRESS}:{port}",
        "/etc/ssl/progress/haproxy.pem": str(both),
    }
    if prefix:
        acl = "acl progress path_beg /progress/\n    use_backend progress if progress"
        changes["default_backend progress"] = acl
    file = folder / "haproxy.cfg"
    file.write_text(at(text, changes))
    return ["haproxy", "-f", str(file), "-db"]


def traefik(folder: Path, ports: Sequence[int], prefix: str, port: int) -> list[str]:
    """Write both files of Traefik, with its own certificate instead of one of Let's Encrypt, and return the command."""
    changes = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{ports[0]}",
        "http://127.0.0.1:8001": f"http://127.0.0.1:{ports[1]}",
        "Host(`progress.example.com`)": f"Host(`localhost`){f' && PathPrefix(`{prefix}/`)' if prefix else ''}",
        "tls: {certResolver: letsencrypt}": "tls: {}",
    }
    dynamic = folder / "progress.yaml"
    dynamic.write_text(at((DEPLOY / "traefik" / "progress.yaml").read_text(), changes))
    changes = {
        'address: ":80"': f'address: "{PROXY_ADDRESS}:{free_port()}"',
        'address: ":443"': f'address: "{PROXY_ADDRESS}:{port}"',
        "/etc/traefik/progress.yaml": str(dynamic),
    }
    static = folder / "traefik.yaml"
    text = at((DEPLOY / "traefik" / "traefik.yaml").read_text(), changes)
    static.write_text(text.partition("certificatesResolvers")[0])
    return ["traefik", "--configFile", str(static)]


PROXIES: dict[str, Callable[..., list[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
    "haproxy": haproxy,
    "traefik": traefik,
}


def start(
    name: str, folder: Path, ports: Sequence[int], *, prefix: str, mistakes: Mapping[str, str] | None = None
) -> Front:
    """Start a proxy, with mistakes in its configuration, and wait until the site answers through it."""
    port = free_port()
    command = PROXIES[name](folder, ports, prefix, port, **(mistakes or {}))
    command[0] = binary(name) or command[0]
    log = folder / "log"
    around = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=around, cwd=folder)
    front = Front(process, f"https://localhost:{port}", prefix, log)
    until = time.monotonic() + SECONDS
    with front.client() as client:
        while True:
            with suppress(httpx.TransportError):
                if client.get("/healthz").status_code == 200:
                    return front
            assert process.poll() is None, log.read_text()
            if time.monotonic() > until:
                process.kill()
                raise AssertionError(f"no answer through {name}: {log.read_text()}")
            time.sleep(0.05)


def sign_in(client: httpx.Client, name: str, password: str) -> httpx.Response:
    """Sign in with the form that the overview leads to, and return the page behind it."""
    form = client.get("/", follow_redirects=True)
    assert "/admin/login/" in str(form.url), form.url
    token = client.cookies[next(cookie for cookie in client.cookies if cookie.endswith("csrftoken"))]
    given = {"username": name, "password": password, "csrfmiddlewaretoken": token}
    parts = urlsplit(str(form.url))
    given["next"] = str(form.url.params["next"])
    headers = {"Origin": f"{parts.scheme}://{parts.netloc}", "Referer": str(form.url)}
    return client.post(str(form.url), data=given, headers=headers, follow_redirects=True)


def manage(environment: Mapping[str, str], *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run a management command; None accepts every exit code."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done
