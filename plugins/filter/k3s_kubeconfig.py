# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter `edge.mesh.k3s_kubeconfig`: a server's own kubeconfig as the controller can use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.edge.mesh.plugins.plugin_utils.k3s.files import kubeconfig

DOCUMENTATION = r"""
name: k3s_kubeconfig
short_description: The kubeconfig of a K3s server as the controller can use it
version_added: 0.1.0
description:
  - Takes the kubeconfig that K3s writes, and gives one with another address of the API and names of the site.
author: edge.mesh contributors (@edge-mesh)
positional: name, server
options:
  _input:
    description: The text of the kubeconfig.
    type: str
    required: true
  name:
    description: What its cluster, user and context are called.
    type: str
    required: true
  server:
    description: URL of the API.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write the kubeconfig
  ansible.builtin.copy:
    content: "{{ found.content | b64decode | edge.mesh.k3s_kubeconfig('shop', 'https://192.0.2.11:6443') }}"
    dest: shop.yaml
    mode: "0600"
  no_log: true
"""

RETURN = r"""
_value:
  description: The text of the kubeconfig; it holds a private key.
  type: str
"""


def k3s_kubeconfig(text: str, name: str, server: str) -> str:
    """The kubeconfig; raises ValueError if the text isn't one of K3s's."""
    return kubeconfig(text, name, server)


class FilterModule:
    """Filters by their names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"k3s_kubeconfig": k3s_kubeconfig}
