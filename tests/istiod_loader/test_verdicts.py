# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our verdicts about bundles beside those of istiod's own loader, the Go package that istiod itself is built from.

The Go test is built against the very `go.mod` that the collection's istiod is built from, so both judge alike.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.edge.mesh.plugins.module_utils._pki.verifying import bundle_problems
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import ENVIRONMENT
from tests.bundles import STRICTER, Case, table

HERE = Path(__file__).resolve().parent
PINS = HERE.parents[1] / "roles/artifacts/files/go/istio"
# istiod looks at the clock itself, so these certificates are of today.
NOW = datetime.now(UTC)
TABLE = table(NOW)
_RESULT = re.compile(r"^    --- (PASS|FAIL): TestVerdicts/(\S+) .*\n((?:        .*\n)*)", re.MULTILINE)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[str, str]]:
    """For every case whether istiod's loader agrees with the table (PASS, FAIL), and what it says otherwise."""
    module, bundles = tmp_path_factory.mktemp("loader"), tmp_path_factory.mktemp("bundles")
    for source in (PINS / "go.mod", PINS / "go.sum", HERE / "loader_test.go"):
        shutil.copy(source, module)
    for case in TABLE:
        (bundles / case.name).mkdir()
        expected = b"loads" if case.loads else b"refuses"
        for name, content in {**case.files, "expected": expected}.items():
            (bundles / case.name / name).write_bytes(content)
    ran = subprocess.run(
        # With the flags of the artifacts' own builds Go finds what those compiled.
        ["go", "test", "-mod=readonly", "-trimpath", "-vet=off", "-count=1", "-v", "."],
        cwd=module,
        env={**os.environ, **ENVIRONMENT, "EDGE_MESH_BUNDLES": str(bundles)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {name: (result, said) for result, name, said in _RESULT.findall(ran.stdout)}
    assert found, f"the Go test didn't run:\n{ran.stdout}{ran.stderr}"
    return found


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_istiods_loader_does_what_the_table_says(case: Case, verdicts: Mapping[str, tuple[str, str]]) -> None:
    result, said = verdicts[case.name]
    assert result == "PASS", said


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_we_refuse_all_that_istiod_refuses_and_say_why_we_refuse_more(case: Case) -> None:
    problems = bundle_problems(case.files, NOW)[1]
    assert (problems == []) == (case.problem is None), problems
    assert (case.problem or "") in "; ".join(problems)
    assert case.loads or problems


def test_each_reason_to_be_stricter_has_its_case() -> None:
    assert set(STRICTER) == {case.name for case in TABLE if case.problem and case.loads}


def test_every_case_was_judged(verdicts: Mapping[str, tuple[str, str]]) -> None:
    assert set(verdicts) == {case.name for case in TABLE}
