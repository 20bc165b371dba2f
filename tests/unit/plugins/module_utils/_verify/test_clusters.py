# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of many sites' clusters: what one of them answers is told of that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._k8s import client, kubeconfig
from ansible_collections.edge.mesh.plugins.module_utils._verify import clusters

GOOD: Mapping[str, Any] = {"/version": {"gitVersion": "v1.36.3"}}


class FakeApi:
    """Answers GETs by path; nothing is there but what is given."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers

    def __enter__(self) -> FakeApi:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def get(self, path: str, **_query: Any) -> Any:
        return self.answers.get(path, self.answers.get("*"))

    def list(self, path: str, **_query: Any) -> Any:
        return self.answers.get(path, [])


def facts(monkeypatch: pytest.MonkeyPatch, **answers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The facts of one site for each name, whose API gives these answers."""

    def load(path: str, _context: str | None) -> kubeconfig.Endpoint:
        return kubeconfig.Endpoint(server=f"https://{path}", context="x")

    monkeypatch.setattr(kubeconfig, "load", load)
    monkeypatch.setattr(client, "Client", lambda endpoint, **_more: FakeApi(answers[endpoint.server[8:]]))
    asked = [clusters.Asked(name, "existing", name) for name in answers]
    return clusters.all_of(asked, wait=0, optional=False, seconds=5)


def test_a_site_that_answers_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    found = facts(monkeypatch, shop=GOOD)["shop"]
    assert (found["known"], found["kubernetes_version"]) == (True, "v1.36.3")


@pytest.mark.parametrize("answer", [{}, {"kind": "x"}, {"gitVersion": None}, {"error": "log in first"}])
def test_what_answers_in_json_and_is_no_kubernetes_api_is_told_of_its_site_alone(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    found = facts(monkeypatch, shop={"*": answer}, mall=GOOD)
    assert found["mall"]["known"] is True
    assert (found["shop"]["known"], found["shop"]["unanswered"]) == (False, False)
    assert found["shop"]["why"].startswith("shop: GET /version failed: that is not what a Kubernetes API answers")
    assert "check that https://shop is the site's API server" in found["shop"]["why"]


def test_an_answer_that_nobody_thought_of_ends_no_other_site(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {**GOOD, "/api/v1/namespaces/edge-mesh-injector": {"no": "metadata"}, "*": {"no": "metadata"}}
    found = facts(monkeypatch, shop=odd, mall=GOOD)
    assert found["mall"]["known"] is True
    assert found["shop"]["known"] is False
    assert found["shop"]["why"].startswith("shop: it can't be read: its API's answers have a shape that isn't known")
    assert "check that the kubeconfig shop leads to a Kubernetes API" in found["shop"]["why"]
