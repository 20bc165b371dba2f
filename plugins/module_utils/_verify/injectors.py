# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The webhook of a site that injects by itself (used by `_verify.survey`).

Pure: JSON of the API in, findings out. What there should be: `_istio.local_injector`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import local_injector
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import LOCAL_INJECTOR
from ansible_collections.edge.mesh.plugins.module_utils._pki import workload
from ansible_collections.edge.mesh.plugins.module_utils._verify import inputs
from ansible_collections.edge.mesh.plugins.module_utils._verify.model import RERUN, Finding, Json

__all__ = ["left_over", "webhook"]

_SOON = timedelta(days=30)


def webhook(
    configurations: Iterable[Json], centre: Sequence[Json], own: Json | None, deployment: Json | None, *,
    wanted: str, now: datetime,
) -> Finding:  # fmt: skip
    """Whether the site's own injector is called, with the path ``wanted``, is trusted, and runs.

    ``centre`` are configurations of webhooks that lead to the primary, ``own`` the injector's ConfigMap.
    """
    hooks = [
        hook
        for item in configurations
        if item["metadata"]["name"] == LOCAL_INJECTOR
        for hook in item.get("webhooks") or []
    ]
    trusted = str(((own or {}).get("data") or {}).get(local_injector.TRUSTED, ""))
    faults = [] if hooks else ["there is no webhook that calls the site's own injector"]
    faults += [f"{item['metadata']['name']} calls the primary, too" for item in centre]
    for hook in hooks:
        service = (hook.get("clientConfig") or {}).get("service") or {}
        if (service.get("namespace"), service.get("name")) != (LOCAL_INJECTOR, LOCAL_INJECTOR):
            faults.append(f"{LOCAL_INJECTOR} calls {service.get('name') or 'no Service'}")
        if inputs.path_of(hook) != wanted:
            faults.append(f"{LOCAL_INJECTOR} calls {inputs.path_of(hook) or 'no path'}, not {wanted}")
        if not inputs.fingerprints(trusted) or inputs.bundle_of(hook).split() != trusted.split():
            faults.append(f"the CA bundle of {LOCAL_INJECTOR} isn't the injector's certificate")
    ready = int(((deployment or {}).get("status") or {}).get("availableReplicas") or 0)
    if not ready:
        faults.append(
            "the site's own injector has no pod that is ready, so no pod can be created in injected namespaces"
        )
    ends = _end(trusted)
    if ends is not None and ends <= now:
        faults.append(f"the injector's certificate ended {ends:%Y-%m-%d}")
    evidence: dict[str, Any] = {
        "configurations": [LOCAL_INJECTOR] if hooks else [],
        "paths": list(dict.fromkeys(inputs.path_of(hook) for hook in hooks)),
        "ca": sorted(inputs.fingerprints(trusted)),
        "ready": ready,
        "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ") if ends else None,
    }
    if faults:
        told = list(dict.fromkeys(faults))
        return Finding(
            "failed", {"seen": told[0], **evidence, "faults": told}, f"look at {LOCAL_INJECTOR}, then {RERUN}"
        )
    if ends is not None and ends - now < _SOON:
        seen = f"the injector's certificate ends {ends:%Y-%m-%d}"
        return Finding("warning", {"seen": seen, **evidence}, "run maintain.yml, which renews it")
    return Finding("ok", {"seen": f"calls the site's own injector at {wanted}", **evidence})


def left_over(configurations: Iterable[Json]) -> bool:
    """Whether a site whose primary injects still has a webhook of its own."""
    return any(item["metadata"]["name"] == LOCAL_INJECTOR for item in configurations)


def _end(trusted: str) -> datetime | None:
    """The end of the newest certificate, which is the injector's; None without one that can be read."""
    try:
        return workload.inspect(trusted)[0].not_after
    except (MeshError, IndexError):
        return None
