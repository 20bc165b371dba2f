# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that calls an API, against every fault: one line with site, why and hint, no secret, no traceback."""

from __future__ import annotations

import importlib
import io
import json
import time
from contextlib import redirect_stdout

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.edge.mesh.plugins.module_utils._k8s import client
from tests.unit.plugins.module_utils._k8s.conftest import make_pki, write_kubeconfig
from tests.unit.plugins.modules.faulty import FAULTS, TOKEN, Fault, FaultyServer, first_then

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
CUSTOM = {"apiVersion": "x.test/v1", "kind": "Foo", "metadata": {"name": "f", "namespace": "n"}}
WAN_LINK = {"name": "lte", "default": False, "dscp": 46, "interface": None, "next_hop": None, "to": []}
WAN_RULE = {"service": "s", "namespace": "n", "host": "s.n.svc.cluster.local", "link": "lte", "conditions": []}


def sides(path):
    return {"site": {"kubeconfig": path}, "primaries": [{"name": "paris", "kubeconfig": path}], "cluster": "paris"}


def surveyed(path):
    site = {"name": "paris", "role": "primary", "network": "n", "primary": "paris", "kubeconfig": path}
    return {"sites": [site], "primaries": [{"name": "paris", "kubeconfig": path}]}


# module, case -> options for a kubeconfig; what fails, and what reports instead of failing
FAILS = {
    ("manifests", "read"): lambda path: {"kubeconfig": path, "site": "paris", "objects": [CONFIG_MAP], "timeout": 1},
    ("manifests", "check"): lambda path: {
        "kubeconfig": path, "site": "paris", "objects": [CONFIG_MAP], "timeout": 1, "_ansible_check_mode": True,
    },
    ("manifests", "discovery"): lambda path: {"kubeconfig": path, "site": "paris", "objects": [CUSTOM], "timeout": 1},
    ("manifests", "absent"): lambda path: {
        "kubeconfig": path, "site": "paris", "set": "s", "state": "absent", "timeout": 1,
    },
    ("remote_secret", "present"): lambda path: {
        **sides(path), "api_server": "https://192.0.2.1", "proxy_url": "http://proxy.test", "timeout": 1,
    },
    ("remote_secret_info", "read"): lambda path: {"primary": {"kubeconfig": path}, "timeout": 1},
    ("mesh_ca_info", "secret"): lambda path: {"secret": {"kubeconfig": path}, "timeout": 1},
    ("local_injector", "present"): lambda path: {
        "kubeconfig": path, "site": "paris", "primary": {"kubeconfig": path, "name": "paris"}, "webhook": {},
        "timeout": 1,
    },
    ("local_injector", "absent"): lambda path: {
        "kubeconfig": path, "site": "paris", "state": "absent", "timeout": 1,
    },
    ("site_remnants", "list"): lambda path: {"kubeconfig": path, "site": "paris", "timeout": 1},
    ("site_remnants", "clean"): lambda path: {"kubeconfig": path, "site": "paris", "clean": True, "timeout": 1},
    ("site_cluster_info", "read"): lambda path: {
        "site": "paris", "provider": "existing", "kubeconfig": path, "timeout": 1,
    },
}  # fmt: skip
REPORTS = {
    ("site_checks", "read"): lambda path: {**surveyed(path), "timeout": 1},
    ("mesh_traffic", "read"): lambda path: {"sites": [{"name": "paris", "kubeconfig": path}], "timeout": 1},
    ("route_checks", "read"): lambda path: {
        "sites": [{"name": "paris", "kubeconfig": path}], "strict_port": 5000, "timeout": 1,
    },
    ("wan_info", "marking"): lambda path: {
        "ask": "marking", "timeout": 1,
        "sites": [{"name": "paris", "kubeconfig": path, "links": [WAN_LINK], "rules": [WAN_RULE]}],
    },
    ("xds_health", "read"): lambda path: {
        "primary": {"kubeconfig": path, "address": "127.0.0.1:1"}, "timeout": 1,
        "sites": [{"cluster": "paris", "network": "n", "kubeconfig": path}],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def against(certificates, tmp_path, monkeypatch):
    """Run a module against a fault; the answer, the server, and the text of all that was printed."""
    monkeypatch.setattr(client, "_LARGEST_ANSWER", 1 << 20)
    servers = []

    def run(fault, module, options):
        server = FaultyServer(fault, certificates.server_file)
        servers.append(server)
        path = write_kubeconfig(tmp_path / "kubeconfig", server.url, certificates.ca, f"{{token: {TOKEN}}}")
        printed = io.StringIO()
        found = importlib.import_module(f"ansible_collections.edge.mesh.plugins.modules.{module}")
        with patch_module_args(options(str(path))), redirect_stdout(printed), pytest.raises(SystemExit):
            found.main()
        return json.loads(printed.getvalue()), server

    yield run
    for server in servers:
        server.close()


def judge(answer):
    """What holds for every answer, whatever went wrong."""
    text = json.dumps(answer)
    assert TOKEN not in text
    assert "Traceback" not in text
    assert "unexpected" not in text
    assert "exception" not in answer
    return text


def by_names(cases):
    return pytest.mark.parametrize("case", sorted(cases), ids="-".join)


@by_names(FAILS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_one_line_with_site_why_and_hint(against, case, fault):
    answer, server = against(fault, case[0], FAILS[case])
    judge(answer)
    assert answer["failed"]
    assert "\n" not in answer["msg"]
    assert fault.words in answer["msg"]
    assert fault.hint in (answer["hint"] or "")
    # what has no option for the site's name says the context's
    assert answer["site"] == ("x" if case[0].endswith("_info") and case[0] != "site_cluster_info" else "paris")
    assert answer["why"]
    assert server.most_reads() <= fault.reads


@by_names(REPORTS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_modules_that_report_dont_fail_and_dont_call_it_healthy(against, case, fault):
    answer, server = against(fault, case[0], REPORTS[case])
    text = judge(answer)
    assert not answer.get("failed"), answer["msg"]
    assert not answer["changed"]
    assert "paris" in text
    assert answer["healthy"] is False
    assert server.most_reads() <= 4 * fault.reads  # some ask again while they wait, within their time


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_site_that_cant_be_looked_at_is_told_as_unknown(against, fault):
    options = {"hosts": ["stock.sample"], "timeout": 1}
    answer, _server = against(
        fault, "service_info", lambda path: {"sites": [{"name": "paris", "kubeconfig": path}], **options}
    )
    judge(answer)
    assert not answer.get("failed"), answer["msg"]
    assert answer["sites"]["paris"]["known"] is False
    assert fault.words in answer["sites"]["paris"]["why"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_cant_be_measured_is_told(against, fault):
    options = {"idle": 0, "requests": 10, "timeout": 1}
    answer, _server = against(
        fault,
        "mesh_measure",
        lambda path: {"sites": [{"name": "paris", "kubeconfig": path, "primary": "paris"}], **options},
    )
    judge(answer)
    assert not answer.get("failed"), answer["msg"]
    (figure,) = answer["figures"]
    assert (figure["site"], figure["numbers"]) == ("paris", {})
    assert figure["about"].startswith("not measured: ")
    assert fault.words in figure["about"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_site_that_cant_be_cleaned_is_said_to_remain(against, fault):
    options = {"state": "absent", "timeout": 1, "wait": False}
    answer, _server = against(fault, "remote_secret", lambda path: {**sides(path), **options})
    judge(answer)
    if answer.get("failed"):  # it was answered, so a person has to look
        assert fault.words in answer["msg"]
        assert answer["site"] == "paris"
    else:
        assert answer["remaining"] == [
            "the remote secret of paris on paris",
            "the reader and its tokens at the site paris",
        ]
        assert not answer["changed"]


LIVE = {
    **CONFIG_MAP,
    "metadata": {
        "name": "c", "namespace": "n", "uid": "u", "resourceVersion": "1", "labels": {"edge.mesh/origin": "created"},
        "managedFields": [{"manager": "edge.mesh", "operation": "Apply", "fieldsV1": {}}],
    },
    "data": {"a": "1"},
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize(
    ("good", "options", "method"),
    [
        (404, {"objects": [CONFIG_MAP]}, "PATCH"),
        (LIVE, {"objects": [{**CONFIG_MAP, "data": {"a": "2"}}]}, "PATCH"),
        (LIVE, {"objects": [CONFIG_MAP], "state": "absent"}, "DELETE"),
    ],
    ids=["create", "change", "delete"],
)
def test_a_fault_of_a_write_names_the_object_and_is_repeated_only_where_that_is_safe(
    against, fault, good, options, method
):
    writes = first_then(lambda asked, _path: good if asked == "GET" else None, fault)
    answer, server = against(
        writes, "manifests", lambda path: {"kubeconfig": path, "site": "paris", "timeout": 1, **options}
    )
    judge(answer)
    assert answer["failed"]
    assert fault.words in answer["msg"]
    assert answer["msg"].startswith("paris: ConfigMap n/c can't be ")
    sent = sum(count for (asked, _path), count in server.sent.items() if asked == method)
    repeatable = fault.applies if method == "PATCH" else (1 if "cut" in fault.name else fault.applies)
    assert sent == repeatable
    assert not [body for body in server.bodies if body and b"force" in body]


def test_what_comes_right_after_a_retry_is_no_failure(against, certificates):
    turns = []

    def answer(handler, raw, server):
        turns.append(handler.command)
        if len(turns) % 2:
            next(fault for fault in FAULTS if fault.name == "503").answer(handler, raw, server)
        else:
            first_then(lambda _method, _path: LIVE, FAULTS[0]).answer(handler, raw, server)

    fault = Fault("now and then", answer, "", "")
    options = {"site": "paris", "objects": [{**CONFIG_MAP, "data": {"a": "1"}}]}
    done, _server = against(fault, "manifests", lambda path: {"kubeconfig": path, **options})
    assert not done.get("failed"), done
    assert turns == ["GET", "GET", "PATCH", "PATCH"]


def test_the_deadline_is_one_for_all_requests(against, monkeypatch):
    """Retry-After of 3 s doesn't fit into 1 s: it isn't even waited for."""
    naps = []
    monkeypatch.setattr(time, "sleep", naps.append)
    fault = next(fault for fault in FAULTS if fault.name == "429")
    patient = Fault("429", lambda handler, raw, server: wait_first(handler), fault.words, fault.hint)
    answer, server = against(patient, *("manifests", FAILS["manifests", "read"]))
    assert answer["failed"]
    assert server.most_reads() == 1
    assert naps == []


def wait_first(handler):
    from tests.unit.plugins.modules.faulty import refusing

    refusing(429, "TooManyRequests", "slow down", [("Retry-After", "3")])(handler, b"", None)
