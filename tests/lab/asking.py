# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a mesh, asked in this process: the modules that `mesh_verify` runs, without a playbook around them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jsonschema import Draft202012Validator

from ansible_collections.edge.mesh.plugins.module_utils._module import Call
from ansible_collections.edge.mesh.plugins.modules import (
    mesh_traffic,
    remote_secret,
    route_checks,
    site_checks,
    xds_health,
)
from ansible_collections.edge.mesh.plugins.plugin_utils.in_worker import run_command
from tests.lab.lab import ROOT, Lab

_SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/schema/xds_health.json").read_text(encoding="utf-8")))

Records = dict[tuple[str, str], list[dict[str, Any]]]


@dataclass(frozen=True)
class Mesh:
    """A mesh of a lab: its name, its one primary, its edges, and those of them that inject by themselves."""

    lab: Lab
    name: str
    primary: str
    edges: tuple[str, ...]
    injecting: tuple[str, ...] = ()

    @property
    def sites(self) -> tuple[str, ...]:
        return (self.primary, *self.edges)

    @cached_property
    def addresses(self) -> Mapping[str, str]:
        """Each site's one address: of its node, its gateways, and, at the primary, of istiod."""
        return {site: self.lab.address(site) for site in self.sites}

    def health(self, timeout: float) -> dict[str, Any]:
        """What `xds_health` says, which must keep to its schema."""
        sites = [
            {"cluster": site, "network": f"net-{site}", **self._kubeconfig(site),
             "istiod_address": self.addresses[self.primary], "gateway_addresses": [self.addresses[site]],
             "local_injector": site in self.injecting}
            for site in self.sites
        ]  # fmt: skip
        primary = self._kubeconfig(self.primary)
        options = {"primary": primary, "sites": sites, "mesh_id": self.name, "timeout": timeout}
        result = called(xds_health, xds_health.ARGUMENT_SPEC, options)
        _SCHEMA.validate(json.loads(json.dumps(result)))
        return result

    def ask(self, timeout: float, *, traffic: bool = False, routes: bool = False) -> Records:
        """Every record that isn't ok, by site and id."""
        found = self.health(timeout)["checks"] + self._site_checks(timeout)
        if traffic:
            found += self._traffic(timeout)
        if routes:
            found += self._routes(timeout)
        records: Records = {}
        for record in found:
            if record["verdict"] != "ok":
                records.setdefault((record["site"], record["id"]), []).append(record)
        return records

    def renew(self, site: str) -> None:
        """A new credential for the primary, as `site_enrollment` gets it."""
        options = {
            "cluster": site,
            "site": self._kubeconfig(site),
            "primaries": [{"name": self.primary, **self._kubeconfig(self.primary)}],
            "api_server": f"https://{self.addresses[site]}:6443",
        }
        called(remote_secret, remote_secret.ARGUMENTS, options)

    def _site_checks(self, timeout: float) -> list[dict[str, Any]]:
        sites = [
            {"name": site, "role": "primary" if site == self.primary else "edge", "network": f"net-{site}",
             "primary": self.primary, **self._kubeconfig(site),
             "istiod_address": self.addresses[self.primary], "gateway_addresses": [self.addresses[site]],
             "local_injector": site in self.injecting}
            for site in self.sites
        ]  # fmt: skip
        primaries = [{"name": self.primary, **self._kubeconfig(self.primary)}]
        options = {"mesh_id": self.name, "primaries": primaries, "sites": sites, "timeout": timeout}
        checks: list[dict[str, Any]] = called(site_checks, site_checks.ARGUMENTS, options)["checks"]
        return checks

    def _traffic(self, timeout: float) -> list[dict[str, Any]]:
        sites = [
            {"name": site, **self._kubeconfig(site), "ingress_addresses": [self.addresses[site]]} for site in self.sites
        ]
        options = {"sites": sites, "requests": 12, "timeout": timeout, "namespace": "sample",
                   "url": "http://helloworld.sample:5000/hello", "ingress_path": "/hello"}  # fmt: skip
        checks: list[dict[str, Any]] = called(mesh_traffic, mesh_traffic.ARGUMENTS, options)["checks"]
        return checks

    def _routes(self, timeout: float) -> list[dict[str, Any]]:
        """What the routes of the inventory (`ROUTES` or the lab's, which say the same) must do."""
        sites = [
            {"name": site, **self._kubeconfig(site), "ingress_addresses": [self.addresses[site]]} for site in self.sites
        ]
        everywhere = {"v1": 33, "v2": 33, "v3": 34}
        user = {"header": "end-user", "value": "banzai", "shares": {"v2": 100}}
        near, far = self.edges
        shares = {self.primary: {self.primary: 100}, near: {near: 50, self.primary: 50},
                  far: {near: 25, self.primary: 75}}  # fmt: skip
        options = {
            "sites": sites, "requests": 60, "timeout": 5 * timeout, "strict_port": 5000,
            "pages": {"shares": everywhere, "users": [user]},
            "splits": [{"host": "stock", "url": "http://stock.sample:5000/hello", "shares": shares}],
        }  # fmt: skip
        checks: list[dict[str, Any]] = called(route_checks, route_checks.ARGUMENTS, options)["checks"]
        return checks

    def _kubeconfig(self, site: str) -> dict[str, str]:
        return {"kubeconfig": str(self.lab.kubeconfig(site))}


def called(module: Any, spec: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What a module returns for these options, checked and completed as Ansible does."""
    checked = ArgumentSpecValidator(dict(spec)).validate(dict(options))
    assert checked.error_messages == []
    call = Call(dict(checked.validated_parameters), check_mode=False, diff_mode=False, run_command=run_command)
    outcome = module.handle(call)
    return {"changed": outcome.changed, **outcome.result}
