# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of `xds_health` in a process of its own, as Ansible starts a module; the options come as JSON on stdin.

The module refuses a site that stands there twice. Here a site may, so that a lab of three can be asked as if it had
fifty.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.edge.mesh.plugins.module_utils._xds.health import examine
from ansible_collections.edge.mesh.plugins.modules import xds_health


def main() -> None:
    """Ask, and tell the result as JSON."""
    order = json.load(sys.stdin)
    sites = order.pop("sites")
    listed: dict[str, dict[str, object]] = {site["cluster"]: site for site in sites}
    checked = ArgumentSpecValidator(xds_health.ARGUMENT_SPEC).validate({**order, "sites": list(listed.values())})
    if checked.error_messages:
        sys.exit("; ".join(checked.error_messages))
    request = xds_health.read(checked.validated_parameters)
    by_name = {site.cluster: (site, access) for site, access in request.sites}
    many = tuple(by_name[site["cluster"]] for site in sites)
    json.dump(examine(replace(request, sites=many)), sys.stdout)


if __name__ == "__main__":
    main()
