# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inputs of a site as its API shows them: what is right, and each way to be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._verify import inputs
from tests.unit.plugins.module_utils._verify import fakes

PATH = "/inject/cluster/shop/net/net-shop"


def judge_webhook(*configurations: dict[str, Any], revision: str = "", root: str | None = fakes.ROOT) -> Any:
    return inputs.webhook(configurations, site="shop", network="net-shop", revision=revision, root=root)


@pytest.mark.parametrize(
    ("found", "primary", "faults"),
    [
        (fakes.system_namespace("net-shop", "centre"), "centre", []),
        (fakes.system_namespace("net-shop", "other, centre"), "centre", []),
        (fakes.system_namespace("net-shop", "*"), "centre", []),
        (fakes.system_namespace("net-shop"), None, []),
        (fakes.system_namespace("net-shop"), "centre", ["is missing, not centre"]),
        (fakes.system_namespace("net-shop", "center"), "centre", ["is center, not centre"]),
        (fakes.system_namespace("net-x", "centre"), "centre", ["network net-x, not net-shop"]),
        (fakes.named("istio-system"), "centre", ["network none", "is missing"]),
        (None, "centre", ["there is no namespace"]),
    ],
)
def test_the_systems_namespace_must_name_network_and_control_plane(
    found: dict[str, Any] | None, primary: str | None, faults: list[str]
) -> None:
    finding = inputs.namespace(found, network="net-shop", primary=primary)
    assert finding.verdict == ("failed" if faults else "ok")
    told = finding.evidence.get("faults", [])
    assert len(told) == len(faults)
    assert all(part in line for part, line in zip(faults, told, strict=True))


def test_a_webhook_with_the_sites_path_and_root_is_ok() -> None:
    found = judge_webhook(fakes.webhook(PATH), fakes.named("somebody-elses"))
    assert found.verdict == "ok"
    assert found.evidence["seen"] == f"calls {PATH}"
    assert found.evidence["configurations"] == ["istio-sidecar-injector"]


@pytest.mark.parametrize(
    ("configurations", "root", "seen"),
    [
        ([], fakes.ROOT, "there is no injection webhook"),
        ([fakes.webhook("/inject")], fakes.ROOT, f"istio-sidecar-injector calls /inject, not {PATH}"),
        ([fakes.webhook("")], fakes.ROOT, f"istio-sidecar-injector calls no path, not {PATH}"),
        ([fakes.webhook(PATH, bundle="")], fakes.ROOT, "istio-sidecar-injector has no CA bundle"),
        ([fakes.webhook(PATH, bundle="not PEM")], fakes.ROOT, "istio-sidecar-injector has no CA bundle"),
        (
            [fakes.webhook(PATH, bundle=fakes.OTHER_ROOT)],
            fakes.ROOT,
            "the CA bundle of istio-sidecar-injector isn't the root that the site's pods trust",
        ),
        ([fakes.webhook(PATH)], None, "istio-system holds no root certificate to compare the CA bundle with"),
        ([fakes.named("istio-sidecar-injector")], fakes.ROOT, "istio-sidecar-injector holds no webhook"),
    ],
)
def test_a_webhook_that_cant_inject_fails(configurations: list[dict[str, Any]], root: str | None, seen: str) -> None:
    found = judge_webhook(*configurations, root=root)
    assert (found.verdict, found.evidence["seen"]) == ("failed", seen)
    assert found.hint


def test_a_bundle_that_holds_the_root_among_others_is_ok() -> None:
    assert judge_webhook(fakes.webhook(PATH, bundle=fakes.OTHER_ROOT + fakes.ROOT)).verdict == "ok"


def test_a_webhook_of_another_revision_isnt_looked_at() -> None:
    ours = fakes.webhook(PATH, name="istio-sidecar-injector-v2", rev="v2")
    other = fakes.webhook("/inject", name="istio-sidecar-injector", rev="default")
    assert judge_webhook(ours, other, revision="v2").verdict == "ok"
    assert judge_webhook(ours, other).verdict == "failed"


def test_a_revision_tags_webhook_is_looked_at_too() -> None:
    tag = fakes.webhook("/inject", name="istio-revision-tag-default", rev="default")
    assert judge_webhook(fakes.webhook(PATH), tag).verdict == "failed"


def test_a_webhook_by_url_is_judged_by_its_path() -> None:
    hook = fakes.webhook(PATH)
    for each in hook["webhooks"]:
        each["clientConfig"].pop("service")
        each["clientConfig"]["url"] = f"https://istiod.example:15017{PATH}"
    assert judge_webhook(hook).verdict == "ok"


def roots_of(**namespaces: str) -> dict[str, str]:
    return inputs.roots([fakes.root_configmap(name.replace("_", "-"), text) for name, text in namespaces.items()])


def test_the_primarys_root_in_every_namespace_is_ok() -> None:
    found = inputs.trust(roots_of(istio_system=fakes.ROOT, sample=fakes.ROOT), ["istio-system", "sample"], fakes.ROOT)
    assert (found.verdict, found.evidence["seen"]) == ("ok", "the root of the primary in 2 namespaces")


@pytest.mark.parametrize(
    ("sample", "root", "verdict", "seen"),
    [
        ("", fakes.ROOT, "failed", "no root certificate in sample"),
        (fakes.OTHER_ROOT, fakes.ROOT, "failed", "another root in sample"),
        (fakes.ROOT + fakes.OTHER_ROOT, fakes.ROOT, "failed", "another root in sample"),
        (fakes.ROOT, "", "unknown", "the primary's istio-system has no istio-ca-root-cert to compare with"),
    ],
)
def test_trust_that_isnt_the_primarys_isnt_ok(sample: str, root: str, verdict: str, seen: str) -> None:
    found = inputs.trust(roots_of(istio_system=fakes.ROOT, sample=sample), ["istio-system", "sample"], root)
    assert (found.verdict, found.evidence["seen"]) == (verdict, seen)


def test_a_namespace_named_twice_is_looked_at_once() -> None:
    found = inputs.trust(roots_of(sample=fakes.ROOT), ["sample", "sample"], fakes.ROOT)
    assert found.evidence["namespaces"] == ["sample"]


def test_injected_namespaces_are_told_by_their_labels() -> None:
    namespaces = [
        fakes.named("plain"),
        fakes.named("off", None, {"istio-injection": "disabled"}),
        fakes.named("on", None, {"istio-injection": "enabled"}),
        fakes.named("canary", None, {"istio.io/rev": "v2"}),
        fakes.named("default-rev", None, {"istio.io/rev": "default"}),
    ]
    assert inputs.injected_namespaces(namespaces, "") == ["on", "default-rev"]
    assert inputs.injected_namespaces(namespaces, "v2") == ["canary"]


def test_istiods_service_that_leads_to_the_primary_is_ok() -> None:
    found = inputs.istiod_address(fakes.istiod_service(), [fakes.istiod_slice("192.0.2.10")], ["192.0.2.10"], "")
    assert (found.verdict, found.evidence["seen"]) == ("ok", "istiod leads to 192.0.2.10")


def test_more_addresses_than_the_expected_one_are_ok() -> None:
    slices = [fakes.istiod_slice("192.0.2.10"), fakes.istiod_slice("192.0.2.11")]
    found = inputs.istiod_address(fakes.istiod_service(), slices, ["192.0.2.10"], "")
    assert found.evidence["addresses"] == ["192.0.2.10", "192.0.2.11"]
    assert found.verdict == "ok"


def test_an_address_that_isnt_known_isnt_compared() -> None:
    assert inputs.istiod_address(fakes.istiod_service(), [fakes.istiod_slice("192.0.2.9")], [], "").verdict == "ok"


def test_a_service_that_leads_elsewhere_fails() -> None:
    found = inputs.istiod_address(fakes.istiod_service(), [fakes.istiod_slice("192.0.2.9")], ["192.0.2.10"], "")
    assert (found.verdict, found.evidence["seen"]) == ("failed", "leads to 192.0.2.9, not to 192.0.2.10")


def test_a_port_without_an_endpoint_fails() -> None:
    missing = fakes.istiod_slice("192.0.2.10")
    missing["ports"] = missing["ports"][:1]
    renamed = fakes.istiod_slice("192.0.2.10")
    renamed["ports"][1]["name"] = "a-name-that-the-service-lacks"
    unready = fakes.istiod_slice("192.0.2.10")
    unready["endpoints"][0]["conditions"] = {"ready": False}
    foreign = fakes.istiod_slice("192.0.2.10")
    foreign["metadata"]["labels"] = {"kubernetes.io/service-name": "another"}
    for item, port in ((missing, 15017), (renamed, 15017), (unready, 15012), (foreign, 15012)):
        found = inputs.istiod_address(fakes.istiod_service(), [item], [], "")
        assert (found.verdict, found.evidence["seen"]) == ("failed", f"no endpoint for port {port}")


def test_no_service_at_all_fails_with_the_name_of_the_revision() -> None:
    found = inputs.istiod_address(None, [], [], "v2")
    assert (found.verdict, found.evidence["seen"]) == ("failed", "there is no Service istiod-v2")
