# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that every module which talks to one cluster shares."""

from __future__ import annotations


class ModuleDocFragment:
    """``edge.mesh.kubeconfig``: which cluster, and for how long."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig on the controller. Only its owner may be able to read it.
      - A kubeconfig is not trusted. C(exec), authentication plugins, references to other files, C(proxy-url) (but see
        O(allow_proxy)), C(insecure-skip-tls-verify) and servers without TLS are refused before anything is started or
        connected to.
      - Neither E(KUBECONFIG) nor any C(K8S_AUTH_*) variable is ever read.
    type: path
    required: true
  context:
    description: Context in the kubeconfig; required if it has several.
    type: str
  allow_proxy:
    description:
      - Accept a C(proxy-url) in the kubeconfig, an HTTP proxy without credentials. The proxy sees a TLS tunnel to the
        API server and no more. No proxy of the environment is ever used.
    type: bool
    default: false
  timeout:
    description: Seconds that all requests together may take.
    type: int
    default: 60
  site:
    description: Name of the site; only used in error messages.
    type: str
"""
