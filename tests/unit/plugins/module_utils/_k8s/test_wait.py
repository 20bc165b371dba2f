# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s.wait import (
    Clock,
    Failed,
    Ready,
    Waiting,
    poll,
    progress,
    why_pod,
    why_pods,
)


def live(api_version, kind, status, spec=None, **metadata):
    return {
        "apiVersion": api_version, "kind": kind, "spec": spec or {}, "status": status,
        "metadata": {"name": "x", "namespace": "n", "generation": 2, **metadata},
    }  # fmt: skip


def deployment(spec=None, conditions=(), **status):
    status = {"observedGeneration": 2, "conditions": list(conditions), **status}
    return live("apps/v1", "Deployment", status, spec or {"replicas": 2})


def condition(kind, status, reason="Why", message="because"):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def definition(*conditions):
    return live("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"conditions": list(conditions)})


DONE = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("item", "state"),
    [
        (None, Waiting("it isn't there")),
        (live("v1", "ConfigMap", {}), Ready()),
        (live("v1", "ConfigMap", {}, deletionTimestamp="now"), Waiting("it is being deleted")),
        (deployment(**DONE), Ready()),
        (deployment(**DONE, observedGeneration=1), Waiting("its controller hasn't seen it yet")),
        (live("apps/v1", "Deployment", {}), Waiting("its controller hasn't seen it yet")),
        (deployment(**{**DONE, "updatedReplicas": 1}), Waiting("1 of 2 replicas are updated")),
        (deployment(**{**DONE, "replicas": 3}), Waiting("1 old replicas are left")),
        (deployment(**{**DONE, "availableReplicas": 1}), Waiting("1 of 2 replicas are ready")),
        (deployment(conditions=[condition("ReplicaFailure", "True")]), Waiting("Why: because")),
        (deployment(conditions=[condition("Progressing", "False")]), Waiting("Why: because")),
        (live("apps/v1", "Deployment", {"observedGeneration": 2}, {"replicas": 0}), Ready()),
        (live("apps/v1", "StatefulSet", {"observedGeneration": 2, "readyReplicas": 1}), Ready()),
        (live("apps/v1", "StatefulSet", {"observedGeneration": 2}), Waiting("0 of 1 replicas are ready")),
        (
            live("apps/v1", "StatefulSet", {"observedGeneration": 2, "updateRevision": "b", "currentRevision": "a"}),
            Waiting("0 of 1 replicas are updated"),
        ),
        (live("apps/v1", "StatefulSet", {}), Waiting("its controller hasn't seen it yet")),
        (live("apps/v1", "DaemonSet", {}), Waiting("its controller hasn't seen it yet")),
        (live("apps/v1", "DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 0}), Ready()),
        (
            live("apps/v1", "DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 1}),
            Waiting("0 of 1 pods are updated"),
        ),
        (live("batch/v1", "Job", {"conditions": [condition("Complete", "True")]}), Ready()),
        (live("batch/v1", "Job", {"conditions": [condition("Failed", "True")]}), Failed("Why: because")),
        (live("batch/v1", "Job", {"failed": 1}), Waiting("0 pods have succeeded, 1 failed")),
        (definition(), Waiting("it isn't established")),
        (definition(condition("Established", "True")), Ready()),
        (definition(condition("NamesAccepted", "False")), Failed("Why: because")),
        (live("v1", "Namespace", {"phase": "Active"}), Ready()),
        (live("v1", "Namespace", {"phase": "Terminating"}), Waiting("its phase is Terminating")),
        (live("v1", "Pod", {"phase": "Succeeded"}), Ready()),
        (live("v1", "Pod", {"phase": "Running", "conditions": [condition("Ready", "True")]}), Ready()),
        (live("v1", "Pod", {"phase": "Pending"}), Waiting("its phase is Pending")),
    ],
)  # fmt: skip
def test_what_ready_means(item, state):
    assert progress(item) == state


def container(name="m", **state):
    last = state.pop("last", None)
    ready = state.pop("ready", False)
    return {"name": name, "ready": ready, "state": state, **({"lastState": {"terminated": last}} if last else {})}


def pod(*containers, conditions=()):
    status = {"containerStatuses": list(containers), "conditions": list(conditions)}
    return {"metadata": {"name": "p", "namespace": "n"}, "status": status}


CRASHED = container(waiting={"reason": "CrashLoopBackOff"}, last={"exitCode": 3, "reason": "Error"})


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (pod(container(running={}, ready=True)), None),
        (pod(conditions=[condition("PodScheduled", "False", message="no node")]), "it can't be scheduled: no node"),
        (
            pod(container(waiting={"reason": "ImagePullBackOff", "message": "not found"})),
            "container m: ImagePullBackOff: not found",
        ),
        (pod(CRASHED), "container m: CrashLoopBackOff, it ended with exit code 3 (Error)"),
        (pod(container(terminated={"exitCode": 1, "reason": "Error"})), "container m ended with exit code 1 (Error)"),
        (pod(container(terminated={"exitCode": 0})), None),
        (pod(container(running={})), "container m runs but isn't ready"),
        (pod(container(waiting={"reason": "ContainerCreating"})), "its containers wait: ContainerCreating"),
    ],
)
def test_a_pod_says_why_it_isnt_ready(item, why):
    assert why_pod(item) == why


class Client:
    """Answers lists by the last word of their path; a missing answer is an error."""

    def __init__(self, **answers):
        self.answers = answers

    def list(self, path, **query):
        self.query = query
        if path.rpartition("/")[2] not in self.answers:
            raise MeshError("no")
        return self.answers[path.rpartition("/")[2]]

    def logs(self, namespace, name, container, *, tail, previous):
        if "log" not in self.answers:
            raise MeshError("no")
        return self.answers["log"]


WORKLOAD = deployment({"selector": {"matchLabels": {"a": "1", "b": "2"}}})


def test_a_crash_is_told_with_the_last_words():
    client = Client(pods=[pod(CRASHED)], log="first\n\n  no certificate  \n")
    assert why_pods(client, WORKLOAD).endswith("exit code 3 (Error); its log ends: first | no certificate")
    assert client.query == {"labelSelector": "a=1,b=2"}
    assert why_pods(Client(pods=[pod(CRASHED)]), WORKLOAD).endswith("exit code 3 (Error)")


def test_a_container_that_cant_be_made_is_told_with_the_last_warning():
    making = pod(container(waiting={"reason": "ContainerCreating"}))
    events = [
        {"lastTimestamp": "2", "reason": "FailedMount", "message": "configmap not found"},
        {"lastTimestamp": "1", "reason": "Old", "message": "x"},
    ]
    assert why_pods(Client(pods=[making], events=events), WORKLOAD) == (
        "pod p: its containers wait: ContainerCreating; FailedMount: configmap not found"
    )
    assert why_pods(Client(pods=[making]), WORKLOAD) == "pod p: its containers wait: ContainerCreating"


def test_pods_that_a_webhook_refuses_are_told_by_the_workloads_warning():
    refused = {"reason": "FailedCreate", "message": 'failed calling webhook "inject": connection refused'}
    client = Client(pods=[], events=[refused])
    assert why_pods(client, WORKLOAD) == 'FailedCreate: failed calling webhook "inject": connection refused'
    assert client.query == {"fieldSelector": "involvedObject.name=x,type=Warning,involvedObject.kind=Deployment"}


def test_a_lone_pods_crash_is_told_with_the_last_words_too():
    lone = {**pod(CRASHED), "apiVersion": "v1", "kind": "Pod"}
    assert why_pods(Client(log="no certificate\n"), lone) == "its log ends: no certificate"
    assert why_pods(Client(), {**pod(container(running={})), "apiVersion": "v1", "kind": "Pod"}) is None


def test_where_nothing_can_be_read_nothing_is_said():
    assert why_pods(Client(), WORKLOAD) is None
    assert why_pods(Client(pods=[]), WORKLOAD) is None
    assert why_pods(Client(), live("v1", "ConfigMap", {})) is None


class Time:
    def __init__(self):
        self.now = 0.0
        self.naps = []

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds

    @property
    def clock(self):
        return Clock(lambda: self.now, self.sleep)


def test_polling_ends_at_once_when_it_is_done():
    time = Time()
    assert poll(lambda: True, until=10, clock=time.clock)
    assert time.naps == []


def test_polling_ends_at_the_deadline_and_looks_once_more_then():
    time, looks = Time(), []
    assert not poll(lambda: bool(looks.append(time.now)), until=0.6, clock=time.clock)
    assert looks == pytest.approx([0, 0.25, 0.5, 0.6])
