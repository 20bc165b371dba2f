# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to say about a CA that exists: a directory, PEM text or the data of a secret (used by `mesh_ca_info`).

Public facts only. Nothing here raises for a CA that is broken or missing: that is what a report is for.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._pki.model import BUNDLE_FILES
from ansible_collections.edge.mesh.plugins.module_utils._pki.reading import facts_of, read_certificates
from ansible_collections.edge.mesh.plugins.module_utils._pki.store import Store
from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import (
    bundle_problems,
    chain_problems,
    find_chain,
    is_self_signed,
    time_problems,
)

__all__ = ["of_content", "of_directory", "of_secret"]

Report = dict[str, Any]


def _empty(source: str) -> Report:
    return {
        "source": source,
        "present": False,
        "root": None,
        "intermediates": [],
        "certificates": [],
        "problems": [],
        "chain": "unknown",
    }


def of_directory(path: str, now: datetime) -> Report:
    """The root and every bundle of a state directory (its ``ca`` directory)."""
    report = _empty(path)
    store = Store(path)
    with store.locked(write=False):
        files, names = store.read("root"), store.names()
        bundles = {name: store.read(name) or {} for name in names}
    report["present"] = bool(files or bundles)
    root = None
    if files:
        try:
            root = read_certificates(files.get("root-cert.pem", b""), f"{path}/root/root-cert.pem")[0]
            report["root"] = facts_of(root).as_dict(now)
            report["problems"] += [f"the root {problem}" for problem in time_problems(root, now)]
        except MeshError as error:
            report["problems"].append(error.message)
    for name, bundle in bundles.items():
        leaf, problems = bundle_problems(bundle, now, root)
        report["intermediates"].append(_entry(name, leaf, problems, now))
        report["problems"] += [f"{name}: {problem}" for problem in problems]
    return _judged(report)


def of_secret(data: Mapping[str, str] | None, source: str, now: datetime) -> Report:
    """The CA in a `cacerts` secret; ``data`` is the secret's own (base64), or None if there is no such secret."""
    report = _empty(source)
    if data is None:
        return report
    report["present"] = True
    files = {}
    for name in BUNDLE_FILES:
        if data.get(name):
            try:
                files[name] = base64.b64decode(data[name], validate=True)
            except (binascii.Error, ValueError):
                report["problems"].append(f"{name} isn't base64")
    leaf, problems = bundle_problems(files, now)
    report["problems"] += problems
    report["intermediates"] = [_entry("ca-cert.pem", leaf, problems, now)]
    try:
        roots = read_certificates(files.get("root-cert.pem", b""), "root-cert.pem")
    except MeshError:
        return _judged(report)
    pool = _readable(files.get("cert-chain.pem", b""))
    # With several roots in the file the one that counts is the one our certificate leads to.
    chain = find_chain(leaf, pool, roots) if leaf else []
    report["root"] = facts_of(chain[-1] if chain else roots[0]).as_dict(now)
    report["certificates"] = [facts_of(certificate).as_dict(now) for certificate in roots]
    return _judged(report)


def of_content(text: bytes, source: str, now: datetime) -> Report:
    """Any PEM text with certificates, the lowest first; raises MeshError if it holds none."""
    report = _empty(source)
    found = read_certificates(text, source)
    report["present"] = True
    report["certificates"] = [facts_of(certificate).as_dict(now) for certificate in found]
    anchors = [certificate for certificate in found if is_self_signed(certificate)]
    chain = find_chain(found[0], found, anchors) if anchors else []
    if chain:
        report["root"] = facts_of(chain[-1]).as_dict(now)
        report["problems"] = chain_problems(chain, now)
    else:
        report["problems"] = ["no chain leads from the first certificate to a root in the same text"]
        report["problems"] += [f"the certificate {problem}" for problem in time_problems(found[0], now)]
    return _judged(report)


def _readable(data: bytes) -> list[Any]:
    try:
        return list(read_certificates(data, "cert-chain.pem"))
    except MeshError:
        return []


def _entry(name: str, leaf: Any, problems: list[str], now: datetime) -> Report:
    facts = facts_of(leaf).as_dict(now) if leaf is not None else {}
    return {"name": name, "chain": "failed" if problems else "ok", "problems": problems, **facts}


def _judged(report: Report) -> Report:
    if report["present"]:
        report["chain"] = "failed" if report["problems"] else "ok"
    return report
