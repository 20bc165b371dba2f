# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site without sidecars: what it can do, what is refused, and what it gives up, each seen on real clusters."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.edge.pair import EAST_WEST, EDGE, EGRESS, HELLO, HELLO_MESH, MESH, PRIMARY, SITES, Pair, node
from tests.lab.asking import Mesh
from tests.lab.capture import Capture, server_name
from tests.lab.fault_table import GATEWAY_ONLY
from tests.lab.faults import Place
from tests.lab.lab import Played, docker, wait_until

SHOWN = 15501  # the gateway's port of helloworld: the till, which the inventory names, comes before it
TILL = 7000
TILL_SHOWN = {"host": "till.shop", "port": TILL, "protocol": "tcp"}
PRODUCT = {"edge_mesh_gateway_only_services": [TILL_SHOWN], "edge_mesh_gateway_only_calls": []}
SYSTEM = ("-n", "istio-system")


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def till(pair: Pair, *, runs: bool) -> list[dict[str, Any]]:
    """A Service of a person's own, which takes bytes; its program runs at the edge only."""
    port = {"name": "tcp-till", "port": TILL, "targetPort": 5000}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "till", "namespace": "shop"},
        "spec": {"selector": {"app": "till"}, "ports": [port]},
    }  # fmt: skip
    if not runs:
        return [namespace("shop"), service]
    container = {
        "name": "till", "image": pair.image(EDGE, "helloworld"), "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "SITE", "value": EDGE}, {"name": "VERSION", "value": "till"}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 5000}, "periodSeconds": 1},
    }  # fmt: skip
    template = {"metadata": {"labels": {"app": "till"}}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "till", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "till"}}, "template": template},
    }  # fmt: skip
    return [namespace("shop"), service, deployment]


@pytest.fixture(scope="module")
def refused(pair: Pair, with_sidecars: Played) -> Played:
    """A run that would take sidecars away where somebody demands them."""
    assert with_sidecars.rc == 0
    pair.apply(EDGE, namespace("shop", **{"istio-injection": "enabled"}))
    pair.describe("gateway_only")
    return pair.play("site.yml")


@pytest.fixture(scope="module")
def first(pair: Pair, refused: Played) -> Played:
    """The run that makes it a site without sidecars, after its owner took the demand away."""
    assert refused.rc != 0
    pair.kubectl(EDGE, "label", "namespace", "shop", "istio-injection-")
    pair.apply(EDGE, *till(pair, runs=True))
    pair.apply(PRIMARY, *till(pair, runs=False))
    pair.kubectl(EDGE, "rollout", "status", "-n", "shop", "deploy/till", "--timeout=120s")
    pair.describe("gateway_only", **PRODUCT)
    return pair.play("site.yml")


@pytest.fixture(scope="module")
def verified(pair: Pair, first: Played) -> Played:
    """verify.yml on it."""
    assert first.rc == 0, first.output[-6000:]
    return pair.play("verify.yml")


def test_a_namespace_that_demands_sidecars_is_refused_by_name_and_nothing_is_touched(
    pair: Pair, refused: Played
) -> None:
    assert refused.rc != 0
    said = " ".join(refused.output.split())
    assert "nothing was touched" in said
    assert f"{EDGE}: edge_mesh_mode is gateway_only, and sidecars are demanded by namespace shop" in said
    assert refused.changed == 0
    assert "istio-proxy" in pods(pair, "sample")


def pods(pair: Pair, where: str) -> str:
    return pair.kubectl(
        EDGE, "get", "pods", "-n", where, "-o", "jsonpath={.items[*].spec['containers','initContainers'][*].name}"
    )


def test_the_run_makes_it_one_and_the_next_has_nothing_to_do(pair: Pair, first: Played) -> None:
    assert first.rc == 0, first.output[-6000:]
    second = pair.play("site.yml")
    assert (second.rc, second.changed) == (0, 0), second.output[-6000:]
    plan = pair.play("site.yml", "--check", "--diff")
    assert (plan.rc, plan.changed) == (0, 0), plan.output[-6000:]


def test_verify_is_well_in_all_directions_and_says_what_the_site_gives_up(pair: Pair, verified: Played) -> None:
    assert verified.rc == 0, verified.output[-6000:]
    for site in SITES:
        for peer in SITES:
            assert [each["verdict"] for each in pair.records("traffic.reach", site, peer)] == ["ok"], (site, peer)
        assert [each["verdict"] for each in pair.records("traffic.ingress", site)] == ["ok"], site
    (there,) = pair.records("traffic.mtls", PRIMARY, EDGE)
    assert (there["verdict"], there["evidence"]["callee"]) == ("ok", EAST_WEST)
    (back,) = pair.records("traffic.mtls", EDGE, PRIMARY)
    assert (back["verdict"], back["evidence"]["caller"]) == ("ok", EGRESS)
    (record,) = pair.records("site.gateway-only")
    assert (record["site"], record["verdict"]) == (EDGE, "ok")
    assert "plain text" in record["evidence"]["gives_up"][0]
    assert pair.records("join.injection", EDGE) == []
    assert pair.records("traffic.plain-text", EDGE) == []
    assert [each["verdict"] for each in pair.records("join.injection", PRIMARY)] == ["ok"]


def test_nothing_of_the_site_is_injected_whatever_it_asks_for(pair: Pair, first: Played) -> None:
    assert first.rc == 0
    assert "istio-proxy" not in pods(pair, "sample")
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "asks", "namespace": "shop", "labels": {"sidecar.istio.io/inject": "true"}},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    }  # fmt: skip
    made = json.loads(pair.kubectl(EDGE, "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod)))
    assert [each["name"] for each in made["spec"]["containers"]] == ["app"]
    assert not made["spec"].get("initContainers")


def test_a_service_of_bytes_is_reached_too(pair: Pair, first: Played) -> None:
    assert first.rc == 0
    url = f"http://till.shop:{TILL}/hello"
    wait_until(lambda: pair.call(PRIMARY, url).site == EDGE, "the till answers through the gateway", 30)
    # the gateway passes bytes on: the callee is told nothing of who called
    assert pair.call(PRIMARY, url.replace("hello", "identity")).peer == ""


def test_up_to_the_gateway_it_is_mutual_tls_and_behind_it_plain_text(pair: Pair, first: Played) -> None:
    assert first.rc == 0
    address = pair.kubectl(
        EDGE, "get", "pods", "-n", "sample", "-l", "app=helloworld", "-o", "jsonpath={.items[0].status.podIP}"
    )
    inner = re.findall(r"dev (\S+)", docker("exec", node(EDGE), "ip", "route", "get", address))[0]
    with Capture(node(EDGE)) as outside, Capture(node(EDGE), inner) as inside:
        seen: set[str] = set()

        def told() -> bool:
            called = pair.call(PRIMARY, f"{HELLO}/identity", "-H", "x-secret: in-the-clear", "-H", "connection: close")
            seen.add(called.peer)
            return f"By={EAST_WEST}" in called.peer

        wait_until(told, "an answer through the gateway", 30)
        wait_until(lambda: bool(inside.of_port(5000)), "frames at the pod", 10)
    names = [server_name(each.content) for each in outside.of_port(SHOWN)]
    assert all(b"in-the-clear" not in each.content for each in outside.of_port(SHOWN))
    assert outside.of_port(SHOWN), "nothing went to the gateway's port"
    assert set(names) - {None} <= {"outbound_.5000_._.helloworld.sample.svc.cluster.local"}
    assert any(b"in-the-clear" in each.content for each in inside.of_port(5000)), "plain text is what it gives up"
    # the caller is named by the gateway, to whom the pod must believe it
    assert any("URI=spiffe://cluster.local/ns/sample/sa/sleep" in each for each in seen)


def test_the_gateways_port_takes_neither_plain_text_nor_a_caller_without_a_certificate(
    pair: Pair, first: Played
) -> None:
    assert first.rc == 0
    address = pair.address(EDGE)
    assert answer(address, b"GET /hello HTTP/1.1\r\nHost: helloworld.sample\r\n\r\n", None) == b""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert answer(address, b"GET /hello HTTP/1.1\r\nHost: helloworld.sample\r\n\r\n", context) == b""


def answer(address: str, request: bytes, context: ssl.SSLContext | None) -> bytes:
    """What the gateway's port answers; nothing if it hangs up."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
        line: socket.socket = opened.enter_context(socket.create_connection((address, SHOWN), 5))
        if context:
            line = opened.enter_context(context.wrap_socket(line))
        line.sendall(request)
        return line.recv(4096)
    return b""


def test_whoever_is_inside_the_site_calls_as_its_gateway_and_one_policy_meets_them_all(
    pair: Pair, first: Played
) -> None:
    assert first.rc == 0
    stranger = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger", "namespace": "default"},
        "spec": {"containers": [{"name": "sleep", "image": pair.image(EDGE, "sleep"), "command": ["sleep", "3600"]}],
                 "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False},
    }  # fmt: skip
    pair.apply(EDGE, stranger)
    pair.kubectl(EDGE, "wait", "pod/stranger", "--for=condition=Ready", "--timeout=60s")

    def identity() -> str:
        url = f"{HELLO_MESH}/identity"
        return pair.kubectl(EDGE, "exec", "stranger", "--", "curl", "-sS", "--max-time", "5", url)

    # an account that nobody gave any right calls the centre, as who the whole site is
    wait_until(
        lambda: f"URI={EGRESS}" in identity() and f'"site": "{PRIMARY}"' in identity(), "a call of a stranger", 60
    )
    policy = {
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "not-from-there", "namespace": "sample"},
        "spec": {"selector": {"matchLabels": {"app": "helloworld"}}, "action": "DENY",
                 "rules": [{"from": [{"source": {"principals": [EGRESS.removeprefix("spiffe://")]}}]}]},
    }  # fmt: skip
    pair.apply(PRIMARY, policy)
    try:
        wait_until(
            lambda: 403 in {each.status for each in pair.answers(EDGE, f"{HELLO_MESH}/hello", 6)}, "a refusal", 30
        )

        def sites() -> set[str]:
            return {each.site for each in pair.answers(EDGE, f"{HELLO_MESH}/hello", 12) if each.status == 200}

        # connections that the gateway has open are let go on for a while
        wait_until(lambda: sites() == {EDGE}, "nobody of the site reaches the centre's instance", 120)
        assert {each.status for each in pair.answers(PRIMARY, f"{HELLO}/hello", 6)} == {200}
    finally:
        pair.kubectl(PRIMARY, "delete", "authorizationpolicy", "not-from-there", "-n", "sample")
        pair.kubectl(EDGE, "delete", "pod", "stranger")


def change_till(pair: Pair, replicas: int, demand: str | None) -> None:
    template = {"metadata": {"labels": {"sidecar.istio.io/inject": demand}}}
    change = json.dumps({"spec": {"replicas": replicas, "template": template}})
    pair.kubectl(EDGE, "patch", "-n", "shop", "deploy/till", "-p", change)


@pytest.fixture
def broken(pair: Pair, verified: Played) -> Iterator[None]:
    """A webhook that would inject everything, a workload that demands it, and Services that nobody shows any more."""
    assert verified.rc == 0
    widened = json.dumps([{"op": "remove", "path": "/webhooks/3/namespaceSelector"}])
    injector = ("mutatingwebhookconfiguration", "istio-sidecar-injector")
    pair.kubectl(EDGE, "patch", *injector, "--type=json", "-p", widened)
    change_till(pair, 0, "true")
    pair.kubectl(EDGE, "delete", "workloadentry", "-n", "sample", "--all")
    (fault,) = GATEWAY_ONLY
    put_back = fault.make(Place(Mesh(pair, MESH, PRIMARY, (EDGE,)), EDGE))
    yield
    put_back()
    change_till(pair, 1, None)


@pytest.mark.usefixtures("broken")
def test_verify_names_what_demands_a_sidecar_and_what_isnt_reached(pair: Pair) -> None:
    found = pair.play("verify.yml")
    assert found.rc != 0
    (record,) = pair.records("site.gateway-only")
    assert record["verdict"] == "failed"
    assert record["evidence"]["others"] == ["namespace default", "Deployment shop/till"]
    assert record["evidence"]["webhooks"] == ["istio-sidecar-injector"]
    (reach,) = pair.records("traffic.reach", PRIMARY, EDGE)
    assert reach["verdict"] == "failed"


def test_the_next_run_mends_it(pair: Pair, verified: Played) -> None:
    assert verified.rc == 0
    mended = pair.play("site.yml")
    assert mended.rc == 0, mended.output[-6000:]
    assert mended.changed > 0
    again = pair.play("verify.yml")
    assert again.rc == 0, again.output[-6000:]
    assert pair.play("playbooks/status.yml").rc == 0


def test_it_leaves_without_a_trace_and_what_it_showed_stays_as_it_was(pair: Pair, verified: Played) -> None:
    assert verified.rc == 0
    left = pair.play("playbooks/retire_site.yml", "-e", f"edge_mesh_retire={EDGE}")
    assert left.rc == 0, left.output[-6000:]
    (service,) = pair.objects(EDGE, "service", "-n", "shop")
    assert "annotations" not in service["metadata"] or "alpha.istio.io" not in json.dumps(
        service["metadata"]["annotations"]
    )
    assert not any("edge.mesh" in name for name in service["metadata"].get("labels", {}))
    for kind in ("gateways.networking.istio.io", "virtualservices.networking.istio.io"):
        assert [
            each["metadata"]["name"] for each in pair.objects(PRIMARY, kind, "-A") if EDGE in each["metadata"]["name"]
        ] == []
    assert {each.site for each in pair.answers(PRIMARY, f"{HELLO}/hello", 8)} == {PRIMARY}
