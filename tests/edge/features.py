# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person may want of the mesh at an edge (a refusal, retries, a mirror, a limit), and programs that show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.edge.pair import EDGE, Pair

PORT = 5000
LIMIT = 5  # requests that the limited service answers in a minute
FLAKY, SHADOW, LIMITED = "flaky", "shadow", "limited"
Json = dict[str, Any]


def programs(pair: Pair) -> list[Json]:
    """Three services, at the edge only: one with a dead instance, one that writes down each call, and a third one."""
    image = pair.image(EDGE, "helloworld")
    # an instance that is ready, as far as Kubernetes knows, and doesn't listen where it is called
    dead = ["python3", "-m", "http.server", str(PORT + 1)]
    log = ["python3", "-u", "-m", "http.server", str(PORT)]
    return [
        _service(FLAKY), _deployment(FLAKY, FLAKY, image), _deployment(f"{FLAKY}-dead", FLAKY, image, dead),
        _service(SHADOW), _deployment(SHADOW, SHADOW, image, log),
        _service(LIMITED), _deployment(LIMITED, LIMITED, image),
    ]  # fmt: skip


def policies(attempts: int) -> list[Json]:
    """The features, as their owner applies them to the primary; ``attempts`` is how often a call is tried again."""
    retried = {"attempts": attempts, "perTryTimeout": "2s", "retryOn": "connect-failure,refused-stream,503"}
    destination = {"destination": {"host": _host(FLAKY), "port": {"number": PORT}}}
    return [
        _object("security.istio.io/v1", "AuthorizationPolicy", "no-admin", {
            "selector": {"matchLabels": {"app": FLAKY}}, "action": "DENY",
            "rules": [{"to": [{"operation": {"paths": ["/admin"]}}]}]}),
        _object("networking.istio.io/v1", "VirtualService", FLAKY, {
            "hosts": [_host(FLAKY)],
            "http": [{"route": [destination], "retries": retried if attempts else {"attempts": 0},
                      "mirror": {"host": _host(SHADOW), "port": {"number": PORT}}}]}),
        _object("networking.istio.io/v1alpha3", "EnvoyFilter", "limit", _limit()),
    ]  # fmt: skip


def refusal_is_in_force(pair: Pair) -> bool:
    """A path that nobody has: the program would answer 404."""
    return pair.call(EDGE, f"http://{FLAKY}.sample:{PORT}/admin").status == 403


def retries_are_in_force(pair: Pair, calls: int = 16) -> bool:
    """Half of the instances are dead, and every call is answered."""
    return failures(pair, calls) == 0


def failures(pair: Pair, calls: int = 16) -> int:
    """How many of some calls to the service with a dead instance fail."""
    return sum(each.status != 200 for each in pair.answers(EDGE, f"http://{FLAKY}.sample:{PORT}/hello", calls))


def mirror_is_in_force(pair: Pair, mark: str) -> Callable[[], bool]:
    """A marked call, and whether the shadow has written it down."""
    pair.call(EDGE, f"http://{FLAKY}.sample:{PORT}/hello?mark={mark}")
    return lambda: f"mark={mark} " in pair.kubectl(EDGE, "logs", "-n", "sample", f"deploy/{SHADOW}", "-c", SHADOW)


def limit_is_in_force(pair: Pair) -> bool:
    """More calls than the limit in much less than a minute: some are answered 429."""
    url = f"http://{LIMITED}.sample:{PORT}/hello"
    return 429 in {each.status for each in pair.answers(EDGE, url, LIMIT + 3)}


def _host(name: str) -> str:
    return f"{name}.sample.svc.cluster.local"


def _object(version: str, kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "sample"}, "spec": spec}


def _service(name: str) -> Json:
    ports = [{"name": "http", "port": PORT}]
    return _object("v1", "Service", name, {"selector": {"app": name}, "ports": ports})


def _deployment(name: str, app: str, image: str, command: list[str] | None = None) -> Json:
    container: Json = {"name": name, "image": image, "imagePullPolicy": "IfNotPresent",
                       "env": [{"name": "SITE", "value": EDGE}]}  # fmt: skip
    if command:
        container["command"] = command
    labels = {"app": app, "instance": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False},
    }
    return _object("apps/v1", "Deployment", name, {"selector": {"matchLabels": labels}, "template": template})


def _limit() -> Json:
    """Envoy's own limit, without a service of its own, at the limited service's sidecar."""
    bucket = {"max_tokens": LIMIT, "tokens_per_fill": LIMIT, "fill_interval": "60s"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    typed = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    limiter = {
        "@type": typed, "stat_prefix": "limit", "token_bucket": bucket,
        "filter_enabled": {"runtime_key": "limit_enabled", **always},
        "filter_enforced": {"runtime_key": "limit_enforced", **always},
    }  # fmt: skip
    manager = {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": manager},
        "patch": {"operation": "INSERT_BEFORE",
                  "value": {"name": "envoy.filters.http.local_ratelimit", "typed_config": limiter}},
    }  # fmt: skip
    return {"workloadSelector": {"labels": {"app": LIMITED}}, "configPatches": [patch]}
