"""Webhooks: signed, to public addresses only, bounded in time and size."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from jobs import operations, outbox
from jobs.models import Delivery, Endpoint, Event
from jobs.operations.endpoints import new_secret
from jobs.outbox import url_policy, webhooks
from jobs.rules.errors import BadInput
from tests.factories import make_job
from tests.jobs.outbox.conftest import Receiver, make_endpoint, reply

pytestmark = pytest.mark.django_db


def one_delivery(receiver: Receiver, **fields: Any) -> Delivery:
    """A finished job whose one event waits for the receiver."""
    make_endpoint(receiver.url, types=["job.*"], **fields)
    make_job(items=1, done=1)
    return Delivery.objects.get()


def after_a_pass(delivery: Delivery) -> Delivery:
    outbox.deliver()
    delivery.refresh_from_db()
    return delivery


@pytest.mark.usefixtures("local")
def test_the_receiver_verifies_the_signature_and_finds_the_event(receiver: Receiver) -> None:
    delivery = after_a_pass(one_delivery(receiver))
    [request] = receiver.requests
    body = Webhook(delivery.endpoint.secret).verify(request.body, request.headers)
    event = Event.objects.get(type="job.completed")
    assert request.headers["webhook-id"] == body["event_id"] == str(event.event_id)
    assert (body["type"], body["job_id"], body["data"]) == ("job.completed", event.job.name, event.data)
    assert set(body) == {"event_id", "type", "job_id", "job", "phase", "run", "occurred_at", "data"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(request.body, request.headers)


@pytest.mark.usefixtures("local")
def test_during_rotation_the_old_secret_and_the_new_one_verify_and_afterwards_the_new_one_alone(
    receiver: Receiver,
) -> None:
    delivery = one_delivery(receiver)
    old = delivery.endpoint.secret
    new = operations.rotate_secret(delivery.endpoint, actor=None)
    after_a_pass(delivery)
    for secret in (old, new):
        Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers)
    Endpoint.objects.update(previous_until=timezone.now())
    operations.replay(delivery.event, actor=None)
    outbox.deliver()
    Webhook(new).verify(receiver.requests[1].body, receiver.requests[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.requests[1].body, receiver.requests[1].headers)


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda handler, request: reply(handler, status, Location=f"{receiver.url}/elsewhere")
    delivery = after_a_pass(one_delivery(receiver))
    assert (delivery.status, delivery.response_status) == ("waiting", status)
    assert "redirect" in delivery.error
    assert [request.path for request in receiver.requests] == ["/hook"]


@pytest.mark.usefixtures("local")
def test_410_disables_the_endpoint_with_its_reason(receiver: Receiver) -> None:
    receiver.answer = lambda handler, request: reply(handler, 410, b"moved away")
    endpoint = make_endpoint(receiver.url)
    for _ in range(3):
        make_job(items=1, done=1)
    assert outbox.deliver()["dead"] == 3
    endpoint.refresh_from_db()
    assert (endpoint.active, endpoint.disabled_reason) == (False, "The endpoint answered 410: moved away")
    assert outbox.deliver() == {"sent": 0, "retried": 0, "dead": 0}
    assert set(Delivery.objects.values_list("status", flat=True)) == {"dead"}
    assert Delivery.objects.filter(error__startswith="The endpoint is disabled.").count() == 3
    make_job(items=1, done=1)
    assert Delivery.objects.count() == 6


@pytest.mark.usefixtures("local")
def test_an_endpoint_that_hangs_costs_a_bounded_time(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.3)
    receiver.answer = lambda handler, request: time.sleep(1)
    begun = time.monotonic()
    delivery = after_a_pass(one_delivery(receiver))
    assert time.monotonic() - begun < 0.9
    assert (delivery.status, delivery.tries, delivery.response_status) == ("waiting", 1, None)
    assert delivery.error.startswith("No answer within")


@pytest.mark.usefixtures("local")
def test_an_answer_that_drips_for_ever_is_cut_off(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: Any, request: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(20):
            handler.wfile.write(b".")
            handler.wfile.flush()
            time.sleep(0.1)

    monkeypatch.setattr(webhooks, "SECONDS", 0.5)
    receiver.answer = drip
    begun = time.monotonic()
    assert after_a_pass(one_delivery(receiver)).status == "waiting"
    assert time.monotonic() - begun < 1.5


@pytest.mark.usefixtures("local")
def test_a_huge_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    written = []

    def flood(handler: Any, request: Any) -> None:
        handler.send_response(500)
        handler.send_header("Content-Length", str(1 << 30))
        handler.end_headers()
        for _ in range(1 << 14):
            try:
                handler.wfile.write(b"x" * (1 << 16))
            except OSError:
                handler.close_connection = True
                return
            written.append(1)

    receiver.answer = flood
    delivery = after_a_pass(one_delivery(receiver))
    assert delivery.response_status == 500
    assert len(delivery.error) <= 500
    assert len(written) < 1 << 10


@pytest.mark.usefixtures("local")
def test_an_answer_of_odd_bytes_is_kept_as_text(receiver: Receiver) -> None:
    receiver.answer = lambda handler, request: reply(handler, 500, b"\x00\xff\xed\xa0\x80 bad")
    assert after_a_pass(one_delivery(receiver)).error.endswith("bad")


@pytest.mark.usefixtures("local")
def test_no_proxy_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert after_a_pass(one_delivery(receiver)).status == "sent"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "nonsense",
        "fec0::1", "feff::1", "64:ff9b:1::a00:1", "::10.0.0.1", "::ffff:0:10.0.0.1", "2001:0:a00:1::1", "100::1",
        "5f00::1", "3fff::1", "2001:db8::1", "2001:2::1", "ff0e::1", "0.1.2.3", "192.0.0.9", "192.88.99.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "2001:0:808:808::1", "192.31.196.1",
    ],
)  # fmt: skip
def test_an_address_of_the_own_network_is_not_public(address: str) -> None:
    assert not url_policy.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "2a00:1450:4001::200e",
    ],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert url_policy.is_public(address)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[fec0::1]", "[::ffff:10.0.0.1]", "0"]
)
def test_an_address_of_the_own_network_is_refused_when_it_is_saved(host: str) -> None:
    with pytest.raises(BadInput, match="not public"):
        url_policy.check_url(f"https://{host}/hook")


@pytest.mark.parametrize("found", ["fec0::1", "10.0.0.1", "::ffff:192.168.0.1"])
def test_a_host_with_one_address_of_the_own_network_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    answers = [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", (found, 443, 0, 0))]
    monkeypatch.setattr(url_policy.socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(url_policy.Unreachable, match="not public"):
        url_policy.resolve("rebinding.example.com", 443)


def test_a_name_that_leads_into_the_own_network_is_refused_when_it_is_sent_to(
    receiver: Receiver, settings: Any
) -> None:
    settings.DEBUG = True
    make_endpoint(f"http://localhost:{receiver.port}/", types=["job.*"])
    make_job(items=1, done=1)
    delivery = after_a_pass(Delivery.objects.get())
    assert "not public" in delivery.error
    assert (delivery.status, receiver.requests) == ("waiting", [])


def test_plain_http_reaches_private_addresses_where_they_are_allowed(receiver: Receiver, settings: Any) -> None:
    delivery = one_delivery(receiver)
    assert "https" in after_a_pass(delivery).error
    settings.WEBHOOK_ALLOW_PRIVATE = True
    assert operations.try_endpoint(delivery.endpoint, actor=None).status == 204


def test_plain_http_never_crosses_the_internet(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    monkeypatch.setattr(webhooks, "resolve", lambda host, port: "93.184.216.34")
    endpoint = make_endpoint("http://hooks.example.com/")
    assert "Plain http is for private addresses" in operations.try_endpoint(endpoint, actor=None).error
    with pytest.raises(BadInput, match="https"):
        url_policy.check_url("http://93.184.216.34/")


@pytest.mark.usefixtures("local")
def test_a_proxy_resolves_the_host_and_gets_the_whole_address(receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOK_PROXY = f"http://127.0.0.1:{receiver.port}"
    endpoint = make_endpoint("http://inside.invalid:8080/hook")
    assert operations.try_endpoint(endpoint, actor=None).status == 204
    [request] = receiver.requests
    assert (request.path, request.headers["host"]) == ("http://inside.invalid:8080/hook", "inside.invalid:8080")


@pytest.mark.usefixtures("local")
def test_an_endpoint_may_ask_for_cloudevents(receiver: Receiver, settings: Any) -> None:
    settings.PUBLIC_URL, settings.PATH_PREFIX = "https://progress.example.com", "/progress"
    plain, wrapped = make_endpoint(receiver.url), make_endpoint(f"{receiver.url}/ce", format="cloudevents")
    job = make_job(items=1, done=1, project="spring")
    outbox.deliver()
    bodies = {request.path: json.loads(request.body) for request in receiver.requests if "job." in str(request.body)}
    event, cloud = bodies["/hook"], bodies["/hook/ce"]
    assert cloud == {
        "specversion": "1.0",
        "id": event["event_id"],
        "source": "https://progress.example.com/progress/",
        "type": "job.completed",
        "subject": job.name,
        "time": event["occurred_at"],
        "datacontenttype": "application/json",
        "data": event,
    }
    kinds = {request.path: request.headers["content-type"] for request in receiver.requests}
    assert kinds == {"/hook": "application/json", "/hook/ce": "application/cloudevents+json"}
    last = next(request for request in reversed(receiver.requests) if request.path == "/hook/ce")
    assert Webhook(wrapped.secret).verify(last.body, last.headers)
    assert (plain.format, wrapped.format) == ("json", "cloudevents")


@pytest.mark.usefixtures("local")
def test_every_event_names_its_job_with_the_address_of_its_page(receiver: Receiver, settings: Any) -> None:
    settings.PUBLIC_URL, settings.PATH_PREFIX = "https://progress.example.com", "/progress"
    make_endpoint(receiver.url)
    job = make_job(items=1, done=1, project="spring")
    outbox.deliver()
    shown = {"id": job.pk, "name": job.name, "project": "spring", "kind": "generic"}
    url = f"https://progress.example.com/progress/admin/jobs/job/{job.pk}/"
    assert {json.dumps(json.loads(request.body)["job"]) for request in receiver.requests} == {
        json.dumps({**shown, "url": url})
    }
    assert Event.objects.filter(outward=True).first().body()["job"] == {**shown, "url": url}
    assert reverse("admin:job-page", args=[job.pk]) == f"/admin/jobs/job/{job.pk}/"


@pytest.mark.parametrize(
    "url",
    [
        "", "nonsense", "ftp://example.com/", "https://", "https:///x", "http://example.com/", "https://u:p@example.com/",
        "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://example.com:0/", "https://[x/",
        "https://example.com:99999/", "https://example.com/ x", "https://example.com/#x", "https://exämple.com/", "amqp://h",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_when_it_is_added(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        operations.add_endpoint(url=url, actor=None)
    assert list(refused.value.errors) == ["url"]
    assert not Endpoint.objects.exists()


@pytest.mark.usefixtures("local")
def test_a_test_message_is_signed_and_leaves_nothing_behind(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url)
    assert operations.try_endpoint(endpoint, actor=None) == outbox.Outcome(status=204)
    [request] = receiver.requests
    assert Webhook(endpoint.secret).verify(request.body, request.headers)["type"] == "endpoint.test"
    assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)
    receiver.answer = lambda handler, request: reply(handler, 403, b"who are you?")
    assert operations.try_endpoint(endpoint, actor=None).error == "The endpoint answered 403: who are you?"


TLS_SERVER = """
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
context.sni_callback = lambda socket, name, _: print(name, flush=True)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of `localhost` that only its owner trusts, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(paths[1]), "-out", str(paths[0]), "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:true"]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> Iterator[subprocess.Popen[str]]:
    """A server with that certificate that says its port, and then the names that it is asked for."""
    command = ["python3", "-c", TLS_SERVER, *map(str, certificate)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("host", "trusted", "sent"), [("localhost", True, True), ("127.0.0.1", True, False), ("localhost", False, False)]
)
def test_tls_asks_for_the_name_and_checks_the_certificate_though_it_connects_to_an_address(
    tls: Any, certificate: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool, sent: bool
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setattr(url_policy.socket, "getaddrinfo", once(url_policy.socket.getaddrinfo, "localhost"))
    port = int(tls.stdout.readline())
    make_endpoint(f"https://{host}:{port}/", types=["job.*"])
    make_job(items=1, done=1)
    delivery = after_a_pass(Delivery.objects.get())
    assert (delivery.status == "sent") is sent, delivery.error
    if host == "localhost":
        assert tls.stdout.readline().strip() == "localhost"


def once(look_up: Any, name: str) -> Any:
    """A resolver that knows a name one time, and as an address of this machine in the old notation."""
    asked: list[str] = []

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == name:
            asked.append(host)
            assert len(asked) == 1, "looked up twice"
            return look_up("127.0.0.1", *args, **kwargs)
        return look_up(host, *args, **kwargs)

    return getaddrinfo


def test_the_body_is_the_same_bytes_at_every_delivery(receiver: Receiver, local: None) -> None:
    delivery = after_a_pass(one_delivery(receiver))
    operations.replay(delivery.event, actor=None)
    outbox.deliver()
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert json.loads(first.body)["event_id"] == first.headers["webhook-id"]


def test_a_private_authority_is_trusted_by_its_setting(
    tls: Any, certificate: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    endpoint = make_endpoint(f"https://localhost:{int(tls.stdout.readline())}/")
    assert "certificate verify failed" in operations.try_endpoint(endpoint, actor=None).error
    settings.WEBHOOK_CA_FILE = str(certificate[0])
    assert operations.try_endpoint(endpoint, actor=None).status == 204
