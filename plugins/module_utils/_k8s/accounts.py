# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods whose service account was deleted and made anew (used by ``converge``).

A pod's token names its account by uid: it is dead from the moment in which the account was deleted, and the kubelet
asks for another one only when most of the old one's life is over. Until then the pod has no identity: istiod can't ask
the API, a proxy can't renew its certificate. So such pods are replaced.
"""

from __future__ import annotations

from urllib.parse import quote

from ansible_collections.edge.mesh.plugins.module_utils._k8s import ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Ref

__all__ = ["replace_pods"]


def replace_pods(client: Client, account: Ref, *, dry_run: bool) -> str:
    """Delete the pods of an account that has just been created, so that their controllers make them anew.

    A pod that was there before its account has one of the former account's tokens. Returns what was done, in words,
    empty if there was no such pod; raises ApiError for anything but a missing right to look.
    """
    path = f"/api/v1/namespaces/{quote(account.namespace)}/pods"
    try:
        pods = client.list(path, fieldSelector=f"spec.serviceAccountName={account.name}")
    except ApiError as error:
        if error.status != 403:
            raise
        return "this user may not list pods: restart those of the account, if there are any"
    names = [
        str(pod["metadata"]["name"])
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp") and ownership.has_controller(pod)
    ]
    for name in names:
        client.delete(f"{path}/{quote(name)}", body={"dryRun": ["All"]} if dry_run else None)
    return f"its pods had dead tokens and are replaced: {', '.join(names)}" if names else ""
