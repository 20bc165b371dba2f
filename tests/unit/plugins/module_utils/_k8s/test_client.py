# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import contextlib
import dataclasses
import gzip
import json
import socket
import struct
import threading
import time

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.kubeconfig import Endpoint
from tests.unit.plugins.module_utils._k8s.conftest import make_pki
from tests.unit.plugins.module_utils._k8s.fake_api import Server, reply

STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
TOKEN = "s3cr3t-token"


@pytest.fixture
def served():
    """Start loopback servers; each takes an answerer."""
    servers = []

    def start(answer, **options):
        servers.append(Server(answer, **options))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def endpoint(url, **options):
    return Endpoint(url, "x", **{"token": TOKEN, **options})


def always(code, body, headers=()):
    return lambda handler, _raw: reply(handler, code, body, headers)


def failure(url, call=lambda client: client.list("/api/v1/pods"), **options):
    with Client(endpoint(url, **options), site="paris", timeout=2) as client, pytest.raises(ApiError) as caught:
        call(client)
    text = str(caught.value)
    assert text.startswith("paris: ")
    assert "\n" not in text
    assert TOKEN not in text
    return caught.value


def test_a_request_carries_the_token_and_its_query(served):
    seen = []

    def answer(handler, raw):
        seen.append((handler.command, handler.path, handler.headers["Authorization"], raw))
        reply(handler, 200, {"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "p"}}]})

    with Client(endpoint(served(answer) + "/prefix")) as client:
        items = client.list("/api/v1/pods", labelSelector="a=b", watch=False)
        assert client.requests == 1
    assert items == [{"metadata": {"name": "p"}, "apiVersion": "v1", "kind": "Pod"}]
    assert seen == [("GET", "/prefix/api/v1/pods?labelSelector=a%3Db&watch=false", f"Bearer {TOKEN}", b"")]


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (401, {**STATUS, "reason": "Unauthorized", "message": "Unauthorized"}, "renew the kubeconfig"),
        (403, {**STATUS, "message": 'pods is forbidden: User "u" cannot list resource "pods"'}, 'User "u" cannot list'),
        (409, {**STATUS, "reason": "Conflict", "message": "it changed"}, "it changed"),
        (422, {**STATUS, "reason": "Invalid", "message": "spec.x: Invalid value"}, "spec.x: Invalid value"),
        (404, {**STATUS, "reason": "NotFound", "message": "pods not found"}, "pods not found"),
        (500, b"<html><body>Login</body></html>", "the answer is a web page"),
        (502, b"bad gateway\nfrom a proxy", "bad gateway from a proxy"),
        (302, b"", "the server redirects"),
        (200, b"<html>Login</html>", "the answer is a web page"),
        (503, b"", "the API server isn't ready"),
    ],
)
def test_each_refusal_is_one_line_that_says_why(served, code, body, words):
    error = failure(served(always(code, body)))
    assert error.status == code
    assert words in str(error)


def test_not_found_is_no_error_where_it_is_an_answer(served):
    with Client(endpoint(served(always(404, {**STATUS, "reason": "NotFound"})))) as client:
        assert client.get("/api/v1/namespaces/x") is None
        assert client.delete("/api/v1/namespaces/x") is False


def test_a_conflict_names_fields_and_managers(served):
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".spec.replicas"}
    error = failure(served(always(409, {**STATUS, "details": {"causes": [cause]}})))
    assert [(each.field, each.message) for each in error.causes] == [(".spec.replicas", 'conflict with "kubectl"')]


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_that_says_when_is_asked_again(served, code):
    answers = [(code, STATUS, [("Retry-After", "1")]), (200, {"kind": "PodList", "items": []}, [])]
    url = served(lambda handler, _raw: reply(handler, *answers.pop(0)))
    naps = []
    with Client(endpoint(url), sleep=naps.append) as client:
        assert client.list("/api/v1/pods") == []
        assert client.requests == 2
    assert naps == [1.0]


def test_a_busy_server_is_not_asked_forever(served):
    naps = []
    with Client(endpoint(served(always(429, STATUS, [("Retry-After", "60")]))), sleep=naps.append) as client:
        with pytest.raises(ApiError, match="429"):
            client.list("/api/v1/pods")
        assert client.requests == 4
    assert naps == [10.0, 10.0, 10.0]


def test_answers_may_come_compressed(served):
    asked = []

    def answer(handler, _raw):
        asked.append(handler.headers["Accept-Encoding"])
        listed = json.dumps({"kind": "PodList", "items": [{"metadata": {"name": "p"}}]}).encode()
        reply(handler, 200, gzip.compress(listed), [("Content-Encoding", "gzip")])

    with Client(endpoint(served(answer))) as client:
        assert client.get("/api/v1/pods")["items"] == [{"metadata": {"name": "p"}}]
    assert asked == ["gzip"]


def test_a_compressed_answer_that_is_torn_is_told(served):
    def answer(handler, _raw):
        reply(handler, 200, gzip.compress(b"x" * 1000)[:20] + b"torn", [("Content-Encoding", "gzip")])

    assert "GET /api/v1/pods failed" in str(failure(served(answer)))


def test_no_retry_goes_beyond_the_deadline(served):
    url = served(always(429, STATUS, [("Retry-After", "5")]))
    with Client(endpoint(url), deadline=103.0, clock=lambda: 100.0, sleep=pytest.fail) as client:
        with pytest.raises(ApiError, match="429"):
            client.list("/api/v1/pods")
        assert client.requests == 1


def test_after_the_deadline_nothing_is_sent(served):
    with Client(endpoint(served(always(200, {}))), site="paris", deadline=99.0, clock=lambda: 100.0) as client:
        with pytest.raises(ApiError, match=r"^paris: GET /api/v1/pods was not sent: the time is up \(give it a longer"):
            client.list("/api/v1/pods")
        assert client.requests == 0


def reset(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (lambda client: client.list("/api/v1/pods"), 2),
        (lambda client: client.apply("/api/v1/namespaces/x", {}), 2),
        (lambda client: client.create("/api/v1/namespaces", {}), 1),
        (lambda client: client.patch("/api/v1/namespaces/x", {}), 1),
        (lambda client: client.delete("/api/v1/namespaces/x"), 1),
    ],
)
def test_only_what_may_be_done_twice_is_sent_again_after_a_reset(served, call, sent):
    count = []

    def answer(handler, _raw):
        count.append(1)
        if len(count) == 1:
            reset(handler)
        else:
            reply(handler, 200, {"kind": "PodList", "items": []})

    with Client(endpoint(served(answer)), sleep=lambda _s: None) as client:
        if sent == 1:
            with pytest.raises(ApiError, match="closed the connection") as caught:
                call(client)
            assert caught.value.reason == "Reset"
        else:
            call(client)
    assert len(count) == sent


def test_a_refused_connection_says_where():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}")
    assert (error.status, error.reason) == (0, "Refused")
    assert f"127.0.0.1:{port} refuses connections" in str(error)


def test_a_name_that_doesnt_resolve_is_said_to_be_so(monkeypatch):
    def unknown(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure("http://nowhere.test:6443")
    assert error.reason == "Name"
    assert "the name in nowhere.test:6443 can't be resolved" in str(error)


def test_silence_is_a_timeout():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            Client(endpoint(url), timeout=0.1) as client,
            pytest.raises(ApiError, match="didn't answer in time") as caught,
        ):
            client.list("/api/v1/pods")
    assert caught.value.reason == "Timeout"


def ok(handler, _raw):
    reply(handler, 200, {"kind": "PodList", "items": []})


def test_a_certificate_of_the_right_authority_is_trusted(served, pki):
    with Client(endpoint(served(ok, certificate=pki.server_file), ca_pem=pki.ca)) as client:
        assert client.list("/api/v1/pods") == []


def test_a_certificate_of_another_authority_is_not(served, pki, tmp_path):
    error = failure(served(ok, certificate=pki.server_file), ca_pem=make_pki(tmp_path).ca)
    assert error.reason == "TLS"
    assert "isn't trusted" in str(error)
    assert "certificate-authority-data isn't this cluster's" in str(error)


def test_the_name_of_a_certificate_counts_and_can_be_given(served, pki):
    url = served(ok, certificate=pki.server_file).replace("127.0.0.1", "localhost")
    error = failure(url, ca_pem=pki.ca)
    assert "isn't for this name" in str(error)
    with Client(endpoint(url, ca_pem=pki.ca, tls_server_name="api.test")) as client:
        assert client.list("/api/v1/pods") == []


def test_a_connection_that_ends_while_tls_begins_is_no_answer(pki):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            with contextlib.suppress(OSError):  # the listener is closed at the end
                while True:
                    with listener.accept()[0] as near:
                        near.recv(4096)  # the whole greeting, or the end would be a reset

        threading.Thread(target=hang_up, daemon=True).start()
        error = failure(f"https://127.0.0.1:{listener.getsockname()[1]}", ca_pem=pki.ca)
    assert error.reason == "Reset"
    assert error.unanswered
    assert "closed the connection while TLS began" in str(error)


def test_a_plain_port_is_no_tls(served, pki):
    url = served(ok).replace("http:", "https:")
    error = failure(url, ca_pem=pki.ca)
    assert error.reason == "TLS"
    assert "no TLS with 127.0.0.1" in str(error)


def test_a_client_certificate_is_shown_and_touches_no_file(served, pki, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    url = served(ok, certificate=pki.server_file, client_ca=pki.ca)
    mine = {"client_cert_pem": pki.client_certificate, "client_key_pem": pki.client_key}
    with Client(endpoint(url, ca_pem=pki.ca, token=None, **mine)) as client:
        assert client.list("/api/v1/pods") == []
    assert list(tmp_path.iterdir()) == []
    error = failure(url, ca_pem=pki.ca)
    assert error.reason in ("TLS", "Reset")  # TLS 1.3 tells the client late


def test_damaged_certificates_are_refused_at_once(pki):
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(MeshError, match="certificate-authority-data can't be used"):
        Client(endpoint("https://127.0.0.1:1", ca_pem=broken))
    mixed = {"ca_pem": pki.ca, "client_cert_pem": pki.ca, "client_key_pem": pki.client_key}
    with pytest.raises(MeshError, match="client certificate and key can't be used"):
        Client(endpoint("https://127.0.0.1:1", **mixed))


def test_apply_is_a_patch_of_our_field_manager(served):
    seen = []

    def answer(handler, raw):
        seen.append((handler.command, handler.path, handler.headers["Content-Type"], raw))
        reply(handler, 200, {"kind": "Namespace"})

    with Client(endpoint(served(answer))) as client:
        client.apply("/api/v1/namespaces/x", {"kind": "Namespace"}, force=True, dry_run=True)
        client.logs("x", "pod", "c")
    assert seen[0] == (
        "PATCH",
        "/api/v1/namespaces/x?fieldManager=edge.mesh&force=true&dryRun=All",
        "application/apply-patch+yaml",
        b'{"kind":"Namespace"}',
    )
    assert seen[1][1] == "/api/v1/namespaces/x/pods/pod/log?container=c&tailLines=20&previous=false"


def test_connections_are_used_again(served):
    addresses = set()

    def answer(handler, _raw):
        addresses.add(handler.client_address)
        reply(handler, 200, {"kind": "PodList", "items": []})

    with Client(endpoint(served(answer))) as client:
        for _turn in range(5):
            client.list("/api/v1/pods")
    assert len(addresses) == 1


def test_a_slow_drip_ends_with_the_timeout(served):
    def answer(handler, _raw):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        for _turn in range(20):
            handler.wfile.write(b" " * 40000)
            time.sleep(0.03)

    with Client(endpoint(served(answer)), timeout=0.1) as client, pytest.raises(ApiError, match="in time"):
        client.list("/api/v1/pods")


def test_the_endpoint_of_a_client_stays_hidden(pki):
    hidden = dataclasses.replace(endpoint("https://x", ca_pem=pki.ca), client_key_pem=pki.client_key)
    assert base64.b64encode(pki.client_key.encode()).decode() not in repr(hidden)
    assert "PRIVATE" not in repr(hidden)
