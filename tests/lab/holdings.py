# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tool holds at a site: every object of its own, as what it means and not as the server writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.lab import Lab

# Made by controllers out of ours, with our labels copied.
_COPIES = {"Endpoints"}
_MEANING = ("spec", "data", "webhooks", "rules", "roleRef", "subjects", "endpoints", "ports", "addressType", "type")
# What the API server hands out to a Service, another one each time.
_ALLOCATED = {"clusterIP", "clusterIPs", "healthCheckNodePort"}


@dataclass(frozen=True)
class Held:
    """One object: ``uid`` tells whether it is still the same one, ``meaning`` what it says."""

    uid: str
    meaning: str


def name_of(item: Mapping[str, Any]) -> str:
    """``Kind namespace/name``, or ``Kind name``."""
    metadata = item["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item['kind']} {place}{metadata['name']}"


def ours(lab: Lab, site: str) -> dict[str, dict[str, Any]]:
    """The objects with our label, by name."""
    items = lab.objects(site, lab.all_kinds(site), "--all-namespaces", "-l", "edge.mesh/origin")
    return {
        name_of(item): item
        for item in items
        if item["kind"] not in _COPIES
        and not any(owner.get("controller") for owner in item["metadata"].get("ownerReferences") or [])
    }


def held(lab: Lab, site: str) -> dict[str, Held]:
    """What the tool holds at a site now."""
    return {name: Held(item["metadata"]["uid"], meaning(item)) for name, item in ours(lab, site).items()}


def meaning(item: Mapping[str, Any]) -> str:
    """What an object says, without what the server and controllers add."""
    metadata = item["metadata"]
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if not name.startswith(("deployment.kubernetes.io/", "control-plane.alpha.kubernetes.io/"))
    }
    told = {key: item[key] for key in _MEANING if key in item}
    if item["kind"] == "Service":
        ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in item["spec"]["ports"]]
        told["spec"] = {key: value for key, value in item["spec"].items() if key not in _ALLOCATED} | {"ports": ports}
    address = (item.get("status") or {}).get("loadBalancer") if item["kind"] == "Service" else None
    return json.dumps([metadata.get("labels"), annotations, told, address], sort_keys=True)
