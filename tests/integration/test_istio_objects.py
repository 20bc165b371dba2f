# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real objects of a remote site, as ``istioctl`` renders them: the tests run in order and share them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.integration import rendered
from tests.integration.control_plane import ControlPlane
from tests.integration.site import Answer, Site

WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector"
VALUES = "/api/v1/namespaces/istio-system/configmaps/values"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/destinationrules.networking.istio.io"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own, for the system namespace has one name; it has nothing of Istio before and after."""
    with ControlPlane(tmp_path_factory.mktemp("remote-site"), audit=True) as plane:
        site = Site(plane, "site-enrollment")
        yield site
        site.manifests(state="absent", wait={"timeout": 60})
        assert site.get(DEFINITION) is None


@pytest.fixture(scope="module")
def objects() -> str:
    """The namespace and what istioctl renders."""
    return f"{yaml.safe_dump(rendered.namespace())}---\n{rendered.remote_site()}"


def apply(remote: Site, objects: str, check: bool = False) -> Answer:
    answer = remote.manifests(objects=objects, adopt=True, prune=True, check=check)
    assert not answer.get("failed"), answer["msg"]
    return answer


def actions(answer: Answer) -> dict[str, str]:
    return {f"{each['kind']} {each['name']}": each["action"] for each in answer["objects"]}


def test_check_mode_on_a_bare_cluster_shows_a_short_plan(remote: Site, objects: str) -> None:
    answer = apply(remote, objects, check=True)
    made = actions(answer)
    assert len(made) == 20
    assert set(made.values()) == {"created"}
    for part in answer["diff"]:
        assert len(part["after"].splitlines()) <= 41, part["after_header"]
    long = next(part for part in answer["diff"] if "destinationrules" in part["after_header"])
    assert long["after"].splitlines()[-1].endswith(" more lines")
    assert remote.get(DEFINITION) is None


def test_all_is_made_in_one_call(remote: Site, objects: str) -> None:
    assert "unchanged" not in actions(apply(remote, objects)).values()
    definition = remote.get(DEFINITION)
    assert definition is not None
    assert definition["metadata"]["labels"]["edge.mesh/origin"] == "created"


def test_a_second_call_sends_one_request_a_kind_and_those_of_pruning(remote: Site, objects: str) -> None:
    answer = remote.manifests(objects=objects, adopt=True)
    assert set(actions(answer).values()) == {"unchanged"}
    assert answer["requests"] == 6
    before = remote.plane.requests("edge.mesh")
    apply(remote, objects)
    assert remote.plane.requests("edge.mesh") - before < 100


def test_a_field_changed_by_hand_is_the_only_one_mended(remote: Site, objects: str) -> None:
    remote.patch(VALUES, {"data": {"merged-values": "{}"}})
    for check in (True, False):
        answer = apply(remote, objects, check)
        changed = {name for name, action in actions(answer).items() if action != "unchanged"}
        assert changed == {"ConfigMap values"}
        assert [part["before"].splitlines()[:2] for part in answer["diff"]] == [["data:", "  merged-values: '{}'"]]
    assert set(actions(apply(remote, objects)).values()) == {"unchanged"}


def test_what_istiod_writes_is_left_to_it(remote: Site, objects: str) -> None:
    live = remote.get(WEBHOOK)
    assert live is not None
    for hook in live["webhooks"]:
        hook["clientConfig"]["caBundle"] = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
    remote.patch(WEBHOOK, {"webhooks": live["webhooks"]}, "pilot-discovery")
    assert set(actions(apply(remote, objects)).values()) == {"unchanged"}
    live = remote.get(WEBHOOK)
    assert live is not None
    assert all(hook["clientConfig"].get("caBundle") for hook in live["webhooks"])
