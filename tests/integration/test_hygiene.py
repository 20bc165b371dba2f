# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets stay where they belong: markers in keys, tokens and kubeconfigs are looked for wherever a run leaves traces.

Every module and state runs under a real ``ansible-playbook``, in good health and with its credential rejected; what is
refused of a kubeconfig is refused before, by code that all share. Kubeconfigs, keys and the CA's directory lie apart;
everything else (screen, log file, results as callbacks see them with their diffs, failures and tracebacks, command
lines and environments while it runs, temporary files) must not hold a marker.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control_plane import ADMIN_TOKEN, ControlPlane
from tests.integration.injecting import chart_webhook, primary
from tests.integration.running import ROOT, Played, play
from tests.integration.sampling import Sampler, spellings
from tests.integration.site import Site

Task = dict[str, Any]
PASSPHRASE = "marker-passphrase-5d1c"
PASSWORD = "marker-password-77aa"
DEAD_TOKEN = "marker-dead-token-9e0f"
CONTENT = "marker-content-of-a-secret-file"
INLINE = "marker-inline-secret-value"
KEY = "-----BEGIN PRIVATE KEY-----\nbWFya2VyLW9mLWEtYnJva2VuLXByaXZhdGUta2V5\n-----END PRIVATE KEY-----\n"
NO_API = {
    "artifacts",
    "k3s_machine_info",
    "k3s_release",
    "k3s_removed",
    "report",
    "sites",
}  # they tell no secret


class Trial:
    """What the tasks work with: ``secrets`` is where secrets may lie, ``traces`` where a run writes."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self.plane = plane
        self.site = Site(plane, f"h-{directory.parent.name[-6:].strip('-_').lower()}")
        self.secrets = directory / "secrets"
        self.secrets.mkdir(mode=0o700)
        self.good = str(plane.kubeconfig)
        (self.secrets / "content").write_text(CONTENT)
        (self.secrets / "key").write_text(KEY)
        (self.secrets / "passphrase").write_text(PASSPHRASE)
        self.bad = dict(self._bad())
        for name in (self.site.name, "istio-system"):
            annotations = {"topology.istio.io/controlPlaneClusters": "centre"}
            metadata = {"name": name, "annotations": annotations, "labels": {"topology.istio.io/network": "n"}}
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            self.site.apply(f"/api/v1/namespaces/{name}", namespace, "setup")
        primary(self.site)

    def _bad(self) -> Iterator[tuple[str, str]]:
        write = self.plane.write_kubeconfig
        yield "rejected", str(write(self.secrets / "rejected.yaml", DEAD_TOKEN))
        yield "down", str(write(self.secrets / "down.yaml", DEAD_TOKEN, server="https://127.0.0.1:1"))
        proxy = f", proxy-url: 'http://me:{PASSWORD}@proxy.test'"
        yield "proxy", str(write(self.secrets / "proxy.yaml", DEAD_TOKEN, extra=proxy))
        for name, user in (
            ("exec", f"exec: {{command: sh, args: ['{PASSWORD}']}}"),
            ("password", f"username: u, password: {PASSWORD}"),
            ("key", f"client-certificate-data: {_encoded(KEY)}, client-key-data: {_encoded(KEY)}"),
        ):
            path = write(self.secrets / f"{name}.yaml", "x")
            path.write_text(path.read_text().replace("token: x", user))
            yield name, str(path)
        torn = write(self.secrets / "torn.yaml", DEAD_TOKEN)
        torn.write_text(torn.read_text() + "\n  x: [")
        yield "torn", str(torn)

    def tasks(self) -> list[Task]:
        """One task for each module, state and failure; failures don't end the play."""
        found = list(self._calls("good", self.good))
        for name, path in self.bad.items():
            few = ("manifests: present", "remote_secret: present", "xds_health: read")
            found += [task for task in self._calls(name, path) if name == "rejected" or task["name"].startswith(few)]
        found += self._authority()
        return [{**task, "ignore_errors": True} for task in found]

    def _calls(self, name: str, path: str) -> Iterator[Task]:
        unique = self.site.name
        reader = {"namespace": unique, "service_account": f"reader-{unique}"}
        side = {"kubeconfig": path}
        remote = {
            "cluster": unique, "site": side, "primaries": [{"name": "centre", **side}], "reader": reader, "timeout": 2,
            "api_server": "https://192.0.2.20:6443", "proxy_url": "http://proxy.test:3128",
        }  # fmt: skip
        secret = self.site.object("Secret", "inline", stringData={"a": INLINE})
        files = [{"namespace": unique, "name": "files", "files": {"a": str(self.secrets / "content")}}]
        common = {"kubeconfig": path, "site": unique, "set": unique, "timeout": 2}
        site = {"name": unique, "role": "primary", "network": "n", "primary": unique, **side}
        traffic = {"sites": [{"name": unique, **side}], "timeout": 2}
        health = {"primary": {**side, "address": "127.0.0.1:1"}, "timeout": 2,
                  "sites": [{"cluster": unique, "network": "n", **side}]}  # fmt: skip
        injector = {"kubeconfig": path, "site": unique, "timeout": 2, "wait": False}
        kind = {"name": unique, "mesh": "m", "network": "n", "kubeconfig": path, "kind": "/nowhere/kind", "timeout": 1}
        for module, case, options in (
            ("manifests", "present", {**common, "objects": [secret], "secret_files": files}),
            ("manifests", "unserved", {**common, "objects": [self.site.custom(), secret]}),
            ("remote_secret", "present", remote),
            ("remote_secret_info", "read", {"primary": side, "timeout": 2}),
            ("mesh_ca_info", "secret", {"secret": {**side, "namespace": unique, "name": "files"}, "timeout": 2}),
            ("site_checks", "read", {"sites": [site], "primaries": [{"name": unique, **side}], "timeout": 2}),
            ("site_cluster_info", "read", {"site": unique, "provider": "existing", "kubeconfig": path, "timeout": 2}),
            ("mesh_traffic", "read", traffic),
            ("route_checks", "read", {**traffic, "strict_port": 5000}),
            ("mesh_measure", "read", {"sites": [{"name": unique, "primary": unique, **side}], "idle": 1, "timeout": 2}),
            ("service_info", "read", {**traffic, "hosts": ["stock.sample"]}),
            ("wan_info", "read", {"sites": [{"name": unique, **side}], "ask": "hosts", "timeout": 2}),
            ("wan_node", "absent", {"site": unique, "container": "c", "docker": "/nowhere/docker", "state": "checked"}),
            ("xds_health", "read", health),
            ("site_remnants", "clean", {"kubeconfig": path, "site": unique, "clean": True, "timeout": 2}),
            ("local_injector", "present", {**injector, "primary": side, "webhook": chart_webhook()}),
            ("local_injector", "absent", {**injector, "state": "absent"}),
            ("kind_cluster", "absent", {**kind, "state": "absent", "docker": "/nowhere/docker"}),
            ("manifests", "absent", {**common, "state": "absent"}),
            ("remote_secret", "absent", {**remote, "state": "absent"}),
        ):
            yield {"name": f"{module}: {case}, {name}", f"edge.mesh.{module}": options}

    def looked_up(self, name: str) -> str:
        """A file's content, as a vault would give it: what stands in a playbook is shown where a task fails."""
        return f"{{{{ lookup('ansible.builtin.file', '{self.secrets}/{name}') }}}}"

    def _authority(self) -> Iterator[Task]:
        authority = {"path": str(self.secrets / "ca")}
        intermediates = [{"name": "centre"}]
        # the archive lies where a run leaves its traces: nothing of it may be plain
        state = {"mesh": "m", "state_dir": str(self.secrets), "path": str(self.secrets.parent / "sealed.vault")}
        broken = {"certificate": str(self.secrets / "key.yaml"), "key": str(self.secrets / "key.yaml")}
        for module, case, options in (
            (
                "mesh_ca",
                "present",
                {**authority, "intermediates": intermediates, "passphrase": self.looked_up("passphrase")},
            ),
            ("mesh_ca", "wrong passphrase", {**authority, "intermediates": [{"name": "b"}], "passphrase": "m-wrong"}),
            (
                "mesh_ca",
                "broken key",
                {"path": str(self.secrets / "b"), "root": broken, "intermediates": intermediates},
            ),
            ("mesh_ca_info", "directory", authority),
            ("state_backup", "present", {**state, "passphrase": self.looked_up("passphrase")}),
            ("state_backup", "wrong passphrase", {**state, "passphrase": "m-wrong"}),
            ("state_restore", "present", {**state, "passphrase": self.looked_up("passphrase")}),
            ("state_restore", "wrong passphrase", {**state, "passphrase": "m-wrong"}),
            ("mesh_ca_info", "content", {"content": self.looked_up("key")}),
        ):
            yield {"name": f"{module}: {case}", f"edge.mesh.{module}": options}

    def markers(self) -> dict[str, bytes]:
        """What must be seen nowhere; keys and tokens that the run itself made are among it."""
        known = {
            "token": ADMIN_TOKEN, "rejected token": DEAD_TOKEN, "password": PASSWORD, "passphrase": PASSPHRASE,
            "file's content": CONTENT, "broken key": KEY.splitlines()[1],
        }  # fmt: skip
        for path in (self.secrets / "ca").rglob("*key.pem"):
            known[f"key {path.parent.name}"] = path.read_text().splitlines()[1]
        return {name: value.encode() for name, value in known.items()}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def trial(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(control_plane, tmp_path_factory.mktemp("hygiene"))


def test_every_module_and_state_is_tried(trial: Trial) -> None:
    tried = {task["name"].partition(":")[0] for task in trial.tasks()}
    assert tried | NO_API == {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    for module in ("local_injector", "manifests", "remote_secret"):
        assert {f"{module}: {state}, good" for state in ("present", "absent")} <= {t["name"] for t in trial.tasks()}


@pytest.mark.parametrize("verbosity", ["-v", "-vv", "-vvv", "-vvvv"])
def test_no_marker_is_left_anywhere(trial: Trial, tmp_path: Path, verbosity: str) -> None:
    tasks = trial.tasks()
    if verbosity != "-vvvv":  # which says whatever the others say
        tasks = [task for task in tasks if task["name"].endswith("good") and "unserved" not in task["name"]]
    traces = tmp_path / "traces"
    traces.mkdir()
    started = spellings(trial.markers())
    with Sampler(started, [traces]) as sampler:
        played = play(traces, tasks, "--diff", verbosity, settings={"ANSIBLE_KEEP_REMOTE_FILES": "0"})
    assert played.rc == 0, played.output[-3000:]
    assert set(played.results) == {task["name"] for task in tasks}
    assert played.results["remote_secret: present, good"]["changed"]
    assert sampler.rounds > 10
    assert any("play.yml" in program for program in sampler.programs)
    assert not sampler.found
    found = spellings(trial.markers() | issued(played) | {"inline value": INLINE.encode()})
    for where, text in (
        ("screen", played.output), ("log file", played.log), ("callbacks", json.dumps(played.results)),
    ):  # fmt: skip
        seen = [name for name, marker in found.items() if marker in text.encode()]
        assert not seen, f"{where} at {verbosity}: {seen}"
    if verbosity == "-vvvv":
        judge_failures(played)


def issued(played: Played) -> dict[str, bytes]:
    """Tokens that were issued begin with the header of a signed token: none may show, whichever it is."""
    assert played.results["remote_secret: present, good"]["token_digest"].startswith("sha256:")
    return {"issued token": b"eyJhbGciOi"}


def judge_failures(played: Played) -> None:
    """Failures are told in one line, without a traceback."""
    failures = {name: result for name, result in played.results.items() if result.get("failed")}
    assert len(failures) > 20
    for name, result in failures.items():
        assert "\n" not in result["msg"], name
        assert "unexpected" not in result["msg"], result["msg"]
        assert "Traceback" not in json.dumps(result), name
