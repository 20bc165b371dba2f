# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a site's credential away from primaries, and the reader from the site (used by the module `remote_secret`).

The primary comes first: it must stop using the credential before that dies. A side that doesn't answer doesn't stop
the other one from being cleaned; what had to stay is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._istio import remote_secret as secrets
from ansible_collections.edge.mesh.plugins.module_utils._istio import tokens
from ansible_collections.edge.mesh.plugins.module_utils._istio.names import SYSTEM_NAMESPACE
from ansible_collections.edge.mesh.plugins.module_utils._k8s.errors import ApiError
from ansible_collections.edge.mesh.plugins.module_utils._remote.api import Time, until
from ansible_collections.edge.mesh.plugins.module_utils._remote.credential import Primary
from ansible_collections.edge.mesh.plugins.module_utils._remote.istiod import cure, hanging
from ansible_collections.edge.mesh.plugins.module_utils._remote.site import SiteSide

__all__ = ["Removal", "absent"]

_FORGET_SECONDS = 10.0


@dataclass
class Removal:
    """What was (or would be) removed and what had to stay, a line each; ``primaries`` is the action at each.

    ``revoked`` are the digests of the tokens that the site's API was seen to reject.
    """

    done: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    primaries: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)


def absent(
    cluster: str,
    site: SiteSide | MeshError,
    primaries: list[Primary | tuple[str, MeshError]],
    time: Time,
    *,
    wait: bool,
    check_mode: bool,
) -> Removal:
    """Remove the remote secrets from ``primaries``, then their tokens and, if no other primary is left, the reader.

    An error in place of a side says that it can't even be addressed (its kubeconfig is gone, for instance).
    """
    removal = Removal()
    live_tokens: list[str] = []
    names = []
    for primary in primaries:
        name = primary[0] if isinstance(primary, tuple) else primary.name
        names.append(name)
        leave = partial(_leave, cluster, primary, removal, live_tokens, time, wait, check_mode)
        action = _tolerant(removal, f"the remote secret of {cluster} on {name}", leave)
        removal.primaries.append({"name": name, "action": action or "unreachable"})
    clean = partial(_clean_site, cluster, site, names, removal, live_tokens, wait, check_mode)
    _tolerant(removal, f"the reader and its tokens at the site {cluster}", clean)
    return removal


def _tolerant(removal: Removal, what: str, work: Callable[[], str]) -> str | None:
    """Do the work and say what was done; a side that doesn't answer is noted, any other error is raised."""
    try:
        return work()
    except MeshError as error:
        if isinstance(error, ApiError) and error.status not in (0, 401, 503):
            raise
        removal.remaining.append(what)
        removal.warnings.append(f"{what} couldn't be removed: {error.message}")
        return None


def _leave(
    cluster: str,
    primary: Primary | tuple[str, MeshError],
    removal: Removal,
    live_tokens: list[str],
    time: Time,
    wait: bool,
    check_mode: bool,
) -> str:
    if isinstance(primary, tuple):
        raise primary[1]
    path = secrets.path_of(cluster)
    found = primary.api.get(path)
    if found is None:
        return "absent"
    name = f"{SYSTEM_NAMESPACE}/{secrets.name_of(cluster)}"
    if not secrets.is_ours(found):
        removal.remaining.append(f"Secret {name} on {primary.name}")
        removal.warnings.append(f"{primary.name}: Secret {name} was made by others and stays")
        return "foreign"
    live = secrets.read(found, cluster)
    if live.judged.access and live.judged.access.token:
        live_tokens.append(live.judged.access.token)
    removal.done.append(f"{primary.name}: the remote secret is deleted")
    if not check_mode:
        primary.api.delete(path)
        if wait:
            removal.warnings += _lasting(cluster, primary, time)
    return "deleted"


def _lasting(cluster: str, primary: Primary, time: Time) -> list[str]:
    """Wait until istiod has forgotten the cluster; what is wrong if it hasn't, a line each."""

    def gone() -> bool:
        return all(cluster not in each.seen.clusters for each in primary.istiod.look().replicas)

    if not until(gone, time, seconds=_FORGET_SECONDS):
        return [f"{primary.name}: istiod still lists {cluster}; restart it if that stays so"]
    hung = hanging(primary.istiod, time)
    if hung is None:
        return []
    return [f"{primary.name}: the worker of {hung} hangs and takes in no remote secret any more; {cure(hung)}"]


def _clean_site(
    cluster: str,
    site: SiteSide | MeshError,
    primaries: list[str],
    removal: Removal,
    live_tokens: list[str],
    wait: bool,
    check_mode: bool,
) -> str:
    if isinstance(site, MeshError):
        raise site
    survey = site.survey()
    mine = [name for primary in primaries for name in survey.anchors_of(cluster, primary)]
    others = [each for each in survey.anchors if str(each["metadata"]["name"]) not in mine]
    if mine:
        removal.done.append(f"{len(mine)} token{'s' if len(mine) > 1 else ''} revoked at the site")
    if not check_mode:
        site.revoke(mine)
    if others:
        removal.warnings.append(f"the reader at the site stays: tokens of other primaries hang on it ({len(others)})")
    else:
        removal.done += site.remove(survey, check_mode=check_mode)
    if wait and not check_mode:
        for token in live_tokens:
            if site.is_dead(token):
                removal.revoked.append(tokens.digest(token))
            else:
                removal.warnings.append(f"the site's API still takes the token {tokens.digest(token)}")
                removal.remaining.append(f"the token {tokens.digest(token)} of {cluster}")
    return "cleaned"
