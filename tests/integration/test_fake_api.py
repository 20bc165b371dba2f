# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit tests' fake API is held honest: what passes against it must pass against the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.integration.control_plane import ControlPlane
from tests.integration.running import ROOT, environment

SHARED = "tests/unit/plugins/module_utils/_k8s"


@pytest.mark.parametrize("file", ["test_converge.py", "test_converge_check.py", "test_strangers.py"])
def test_what_holds_for_the_fake_api_holds_for_a_real_one(
    control_plane: ControlPlane, tmp_path: Path, file: str
) -> None:
    junit = tmp_path / "junit.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", f"{SHARED}/{file}"], cwd=ROOT, text=True,
        capture_output=True, check=False, timeout=600,
        env=environment(EDGE_MESH_TEST_KUBECONFIG=str(control_plane.kubeconfig)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite is not None
    assert int(suite.get("tests", "0")) > 0
    assert suite.get("skipped") == "0"
