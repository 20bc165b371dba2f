# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""istiod's worker for remote secrets, after a site that never answered was taken away: it may hang for good.

Whether it does is a race in istiod. Either way, what we say of it must be so. The last file: istiod is of no use then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import IstiodPods, hanging, wait_for
from tests.reader.sites import Given, Sites, until
from tests.reader.test_rights import CASES

POD = "istiod-of-the-tests"


class Door:
    """A primary's API as far as istiod's only replica is reached through it."""

    def __init__(self, sites: Sites) -> None:
        self.sites = sites

    def list(self, path: str, **_query: Any) -> list[dict[str, Any]]:
        """The replica's pod."""
        assert path.endswith("/pods")
        return [{"metadata": {"name": POD}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}]

    @contextmanager
    def portforward(self, _namespace: str, pod: str, port: int) -> Iterator[tuple[str, int]]:
        """The way to its debug API."""
        assert (pod, port) == (POD, 15014)
        yield self.sites.istiod.monitoring

    def logs(self, *_names: str, **_options: Any) -> str:
        """All of its log."""
        return self.sites.istiod.log()


def test_a_worker_that_hangs_is_named_and_one_that_works_isnt(sites: Sites) -> None:
    istiod = IstiodPods(Door(sites))  # type: ignore[arg-type]  # the part of an API that it uses
    silent, good = Given("silent", CASES["list and watch namespaces"]), Given("good", ())
    sites.let_istiod_write()
    sites.add(silent)
    assert until(lambda: sites.states().get(silent.cluster) == "timeout", 25)
    assert hanging(istiod, Time()) is None
    before = istiod.look(events=True).events()
    sites.primary.delete(remote_secret.path_of(silent.cluster))
    sites.add(good)
    works = until(lambda: sites.states().get(good.cluster) == "synced", 20)
    named = hanging(istiod, Time())
    secret = f"istio-system/{remote_secret.name_of(good.cluster)}"
    waited = wait_for(istiod, good.cluster, secret, Time(), seconds=20, before=before)
    print(f"the worker {'works' if works else 'hangs'}: {waited}")
    assert (named, waited.state, waited.pod) == ((None, "synced", "") if works else (POD, "hung", POD))
