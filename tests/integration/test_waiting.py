# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why something isn't ready, told from what the API server, the controllers and the scheduler really write.

There is no kubelet: where a reason is a kubelet's, the pod's status is written as a kubelet writes it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.site import Answer, Site

WAIT = {"timeout": 3}


def told(answer: Answer) -> str:
    assert answer.get("failed"), answer
    assert "\n" not in answer["msg"]
    return str(answer["msg"])


def the_pod(site: Site) -> str:
    """The path of the one pod, when its controller has made it."""

    def found() -> Any:
        answer = site.get(f"{site.path}/pods")
        return answer and answer["items"]

    (pod,) = site.until(found)
    return f"{site.path}/pods/{pod['metadata']['name']}"


def as_kubelet(site: Site, phase: str, ready: bool, **container: Any) -> str:
    """Put the one pod on a node that isn't there, and write its status as the kubelet would; its name."""
    path = the_pod(site)
    name = path.rpartition("/")[2]
    binding = site.object("Binding", name, target={"apiVersion": "v1", "kind": "Node", "name": "nowhere"})
    site.call("POST", f"{path}/binding", binding)
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    told_of = {"name": "m", "image": "example.test/x:1", "imageID": "", "ready": ready, "restartCount": 0, **container}
    status = {"phase": phase, "conditions": conditions, "containerStatuses": [told_of]}
    site.patch(f"{path}/status", {"status": status}, "kubelet")
    return name


PULL = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example.test/x:1"'}
CRASH = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}


def test_a_pod_that_no_node_can_take(site: Site) -> None:
    words = told(site.manifests(site.namespace, site.deployment(), wait={"timeout": 5}))
    assert f"{site.name}: Deployment {site.name}/d isn't ready in time: 0 of 1 replicas are ready; pod d-" in words
    assert "it can't be scheduled: no nodes available to schedule pods" in words
    assert f"(look at: kubectl -n {site.name} describe deployments d)" in words


def refuse_pods(site: Site) -> None:
    """A webhook of this namespace that nobody serves: port 1 of loopback."""
    hook = {
        "name": "inject.x.test", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
        "clientConfig": {"url": "https://127.0.0.1:1/inject"}, "timeoutSeconds": 1,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.name}},
    }  # fmt: skip
    path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{site.name}"
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": site.name}, "webhooks": [hook],
    }  # fmt: skip
    site.apply(path, body, "setup")


def test_pods_that_a_webhook_refuses(site: Site) -> None:
    site.manifests(site.namespace)
    refuse_pods(site)
    words = told(site.manifests(site.deployment(), wait=WAIT))
    assert 'FailedCreate: Internal error occurred: failed calling webhook "inject.x.test"' in words
    assert "connection refused" in words


def test_a_stateful_sets_pods_that_a_webhook_refuses(site: Site) -> None:
    """Its status says nothing about that: the reason is in its events."""
    site.manifests(site.namespace)
    refuse_pods(site)
    deployment = site.deployment()["spec"]
    spec = {"serviceName": "d", "selector": deployment["selector"], "template": deployment["template"]}
    words = told(site.manifests(site.object("StatefulSet", "d", "apps/v1", spec=spec), wait=WAIT))
    assert "0 of 1 replicas are ready; FailedCreate: create Pod d-0 in StatefulSet d failed" in words.replace(
        "Create Pod", "create Pod"
    )
    assert 'failed calling webhook "inject.x.test"' in words


def test_a_quota_that_leaves_no_room(site: Site) -> None:
    quota = site.object("ResourceQuota", "q", spec={"hard": {"pods": "0"}})
    site.manifests(site.namespace, quota)
    site.patch(f"{site.path}/resourcequotas/q/status", {"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}})
    words = told(site.manifests(site.deployment(), wait=WAIT))
    assert "exceeded quota: q" in words


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"state": {"waiting": PULL}}, f"container m: ImagePullBackOff: {PULL['message']}"),
        (
            {"state": {"waiting": CRASH}, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}},
            "container m: CrashLoopBackOff, it ended with exit code 3 (Error)",
        ),
        ({"state": {"running": {}}}, "container m runs but isn't ready"),
    ],
)
def test_what_a_kubelet_says_of_a_container(site: Site, container: Any, words: str) -> None:
    site.manifests(site.namespace, site.deployment())
    as_kubelet(site, "Pending", False, **container)
    assert words in told(site.manifests(site.deployment(), wait={"timeout": 1}))


def test_a_container_that_cant_be_made_for_want_of_a_volume(site: Site) -> None:
    site.manifests(site.namespace, site.deployment())
    name = as_kubelet(site, "Pending", False, state={"waiting": {"reason": "ContainerCreating"}})
    event = site.object(
        "Event", "e", type="Warning", reason="FailedMount", message='configmap "istio-ca-root-cert" not found',
        involvedObject={"kind": "Pod", "name": name, "namespace": site.name}, lastTimestamp="2036-01-01T00:00:00Z",
    )  # fmt: skip
    site.call("POST", f"{site.path}/events", event)
    words = told(site.manifests(site.deployment(), wait={"timeout": 1}))
    assert 'ContainerCreating; FailedMount: configmap "istio-ca-root-cert" not found' in words


def test_a_job_that_failed_is_not_waited_for(site: Site) -> None:
    container = {"name": "m", "image": "example.test/x:1"}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    job = site.object("Job", "j", "batch/v1", spec={"template": template, "backoffLimit": 0})
    site.manifests(site.namespace, job)
    as_kubelet(site, "Failed", False, state={"terminated": {"exitCode": 1, "reason": "Error"}})
    words = told(site.manifests(job, wait={"timeout": 60}))
    assert "BackoffLimitExceeded" in words


def test_an_object_whose_finalizer_nobody_serves(site: Site) -> None:
    stuck = site.config_map()
    stuck["metadata"]["finalizers"] = ["nobody.test/clean-up"]
    site.manifests(site.namespace, stuck)
    words = told(site.manifests(stuck, state="absent", wait=WAIT))
    assert "isn't gone in time: finalizers are left: nobody.test/clean-up (look for a finalizer" in words
    site.patch(f"{site.path}/configmaps/c", {"metadata": {"finalizers": None}})
    assert not site.manifests(site.namespace, state="absent", wait={"timeout": 30}).get("failed")


def test_what_is_ready_ends_the_wait(site: Site) -> None:
    site.manifests(site.namespace, site.deployment())
    as_kubelet(site, "Running", True, state={"running": {}})
    answer = site.manifests(site.deployment(), wait={"timeout": 60})
    assert not answer.get("failed"), answer["msg"]
