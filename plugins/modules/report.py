#!/usr/bin/python
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the action plugin of the same name does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write check records or the results of a run as reports, and show them as a table
version_added: 0.1.0
description:
  - Check records become C(<name>.json) and JUnit C(<name>.xml) in C(reports) below the state directory, and a table
    with what failed first. JUnit has one suite for each site and one case for each check.
  - The results of a run become C(<name>.json) and a table with a line for each site.
  - Files are replaced whole. Writing a report is never a change, and happens in check mode too.
  - Runs on the controller and connects to nothing.
author: edge.mesh contributors (@edge-mesh)
requirements:
  - junitparser
options:
  mesh:
    description: ID of the mesh.
    type: str
    required: true
  state_dir:
    description: The state directory.
    type: path
    required: true
  name:
    description: Name of the report and of its files.
    type: str
    choices: [verify, status, run, retire, maintain, measure]
    default: verify
  records:
    description:
      - Check records, as M(edge.mesh.site_checks), M(edge.mesh.xds_health) and M(edge.mesh.mesh_traffic) return them.
    type: list
    elements: dict
  results:
    description:
      - What became of each site. One of O(records), O(results), O(sites), O(progress), O(slices) and
        O(figures) is required.
    type: list
    elements: dict
    suboptions:
      site:
        description: Name of the site.
        type: str
        required: true
      step:
        description: The step that failed, or how far the site came.
        type: str
        required: true
      result:
        description: V(done), V(failed), V(unreachable) or V(skipped).
        type: str
        required: true
      reason:
        description: Why it isn't done.
        type: str
        default: ""
  sites:
    description:
      - How far a run has come at each site. The report then holds each site's steps, what was created, changed and
        removed by name, and in C(left) the sites that this run and those before it haven't finished.
    type: list
    elements: dict
    suboptions:
      site:
        description: Name of the site.
        type: str
        required: true
      role:
        description: Whether the site runs istiod.
        type: str
        choices: [primary, edge]
        required: true
      at:
        description: The step that begins now; empty when the site has taken its last one.
        type: str
        default: ""
      gateway_only:
        description: Whether the site has no sidecars, so that it takes a step of its own.
        type: bool
        default: false
      begun:
        description: Whether the site's turn has come.
        type: bool
        default: true
      failed:
        description: The C(stage), C(result) and C(reason) of a site that goes no further; empty otherwise.
        type: dict
        default: {}
      dropped:
        description: Whether Ansible goes on without the site, though no failure was recorded.
        type: bool
        default: false
      known:
        description: Whether there is a cluster. In check mode there may be none yet.
        type: bool
        default: true
      results:
        description:
          - What M(edge.mesh.manifests), M(edge.mesh.remote_secret), M(edge.mesh.mesh_ca) and M(edge.mesh.kind_cluster)
            returned.
        type: list
        elements: dict
        default: []
  progress:
    description:
      - As O(sites), told by the variables of the run's hosts, for the playbooks of this collection. Also tells whether
        there are sample apps, WAN links and several primaries, and whether the run has finished.
    type: dict
    suboptions:
      at:
        description: The step that begins now; empty when the run is at its end.
        type: str
        default: ""
      hosts:
        description: The hosts that begin it.
        type: list
        elements: str
        default: []
  slice:
    description:
      - Name of the part of the sites that this worker has; it becomes part of the files' names, so that workers don't
        write over each other's report.
    type: str
    default: ""
  slices:
    description:
      - The slices whose reports of a run (C(reports/run-<slice>.json)) are put together to one. Fails if one of them is
        missing, or if two hold the same site.
    type: list
    elements: str
  expected:
    description: Sites that must be in one of O(slices). Those that aren't are reported as not started.
    type: list
    elements: str
    default: []
  fleet:
    description:
      - The sites of a fleet as it is, each with C(name), C(role), C(primary), C(token_ttl), C(token_renew_before) and
        the C(facts) that M(edge.mesh.site_cluster_info) returned. With them go O(records), O(proxies),
        O(remote_secrets) and O(authorities).
    type: list
    elements: dict
  figures:
    description: What was measured, as M(edge.mesh.mesh_measure) returns it.
    type: list
    elements: dict
  machine:
    description: The machine that it was measured on, in words.
    type: str
    default: ""
  proxies:
    description: What M(edge.mesh.xds_health) returned of proxies.
    type: list
    elements: dict
    default: []
  remote_secrets:
    description: What M(edge.mesh.remote_secret_info) returned, each with the name of its C(primary).
    type: list
    elements: dict
    default: []
  authorities:
    description: What M(edge.mesh.mesh_ca_info) returned for each primary's secret C(cacerts), by the primary's name.
    type: dict
    default: {}
  sample_apps:
    description: Whether sample apps are a step of the run.
    type: bool
    default: false
  wan_links:
    description: Whether WAN links are a step of the run.
    type: bool
    default: false
  peers:
    description: Whether the mesh has several primaries, so that letting the others read a site is a step of the run.
    type: bool
    default: false
  finished:
    description: Whether the run is at its end. Before that the file is written and nothing is shown.
    type: bool
    default: true
extends_documentation_fragment:
  - edge.mesh.attributes.no_diff
"""

EXAMPLES = r"""
- name: Report what was checked
  edge.mesh.report:
    mesh: mesh1
    state_dir: /var/lib/edge-mesh
    records: "{{ checks }}"
  register: report

- name: Report what a run did
  edge.mesh.report:
    name: run
    mesh: mesh1
    state_dir: /var/lib/edge-mesh
    results:
      - {site: shop, step: enrolment, result: failed, reason: its API doesn't answer}
"""

RETURN = r"""
healthy:
  description: Whether nothing failed and everything could be asked.
  returned: success
  type: bool
  sample: false
summary:
  description: The counts in one line.
  returned: success
  type: str
  sample: "mesh1: 2 sites, 30 checks: 29 ok, 1 failed"
unhealthy:
  description: What failed or couldn't be asked, as site, check and peer; for a run the sites that failed.
  returned: success
  type: list
  elements: str
  sample: [shop traffic.reach centre]
finished:
  description: Whether this is the last word, and its table is shown.
  returned: success
  type: bool
  sample: true
paths:
  description: The files that were written.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/edge-mesh/reports/verify.json, /var/lib/edge-mesh/reports/verify.xml]
"""
