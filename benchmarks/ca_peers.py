# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to make a mesh's CA, each as somebody good at it would write it down (used by ``mesh_ca``).

Each leaves ``<home>/<name>/{ca-cert,ca-key,cert-chain,root-cert}.pem`` for every intermediate below one root. What a
way does in its second run is what it needs to know that nothing is to be done: the peers only look at the end of each
certificate, ours checks every bundle whole.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from ansible_collections.edge.mesh.plugins.module_utils._pki.report import of_directory
from benchmarks.go_tools import CACHE, missing

__all__ = ["WAYS", "Way", "check"]

ROOT = Path(__file__).resolve().parents[1]
STEP = CACHE / "step"
PEERS = ROOT / ".venv-bench"
# A third of two years, in seconds: when a renewal falls due.
_WINDOW = 730 * 86400 // 3
_DAYS = {"root": 3650, "intermediate": 730}
_LIFE = _DAYS["intermediate"]


@dataclass(frozen=True)
class Way:
    """``make`` and ``again`` take the directory, the kind of the keys and the number of intermediates.

    ``missing`` says why it can't be tried here, or nothing.
    """

    name: str
    make: Callable[[Path, str, int], object]
    again: Callable[[Path, str, int], object]
    missing: Callable[[], str | None] = lambda: None


def _names(count: int) -> list[str]:
    return [f"primary-{number}" for number in range(count)]


def check(home: Path, count: int) -> None:
    """Raise RuntimeError unless a way really made that many bundles which fit its root."""
    report = of_directory(str(home), datetime.now(UTC))
    made, problems = len(report["intermediates"]), report["problems"]
    if made != count or problems:
        raise RuntimeError(f"{home.name} made {made} of {count}: {problems[:3]}")


def _run(command: list[str], home: Path, *, text: str | None = None, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=home, input=text, text=True, capture_output=True, env={**os.environ, **environment}, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed in {home}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


# -- ours --------------------------------------------------------------------------------------------------------------


def _options(home: Path, key_type: str, count: int) -> dict[str, object]:
    return {"path": str(home), "key_type": key_type, "intermediates": [{"name": name} for name in _names(count)]}


def _module(home: Path, key_type: str, count: int) -> dict[str, object]:
    """The module in a process of its own, with its arguments as Ansible hands them over."""
    command = [sys.executable, "-m", "tests.integration.as_ansible", "mesh_ca"]
    arguments = json.dumps(_options(home, key_type, count))
    path = os.pathsep.join([str(ROOT), str(ROOT / ".venv" / "collections")])
    result: dict[str, object] = json.loads(_run(command, home, text=arguments, PYTHONPATH=path))
    return result


def _module_again(home: Path, key_type: str, count: int) -> None:
    if _module(home, key_type, count)["changed"]:
        raise RuntimeError("mesh_ca changed something in its second run")


def _play(home: Path, tasks: list[dict[str, object]], ansible: Path, **environment: str) -> str:
    book = CACHE / f"{home.name}.yml"
    book.parent.mkdir(parents=True, exist_ok=True)
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    book.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    settings = {
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    return _run([str(ansible), "-c", "local", str(book)], home, **settings, **environment)


def _unchanged(output: str) -> None:
    if "changed=0 " not in output:
        raise RuntimeError(f"the second run changed something:\n{output[-500:]}")


def _task(home: Path, key_type: str, count: int) -> str:
    tasks: list[dict[str, object]] = [{"edge.mesh.mesh_ca": _options(home, key_type, count)}]
    return _play(home, tasks, ROOT / ".venv/bin/ansible-playbook", ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"))


# -- openssl -----------------------------------------------------------------------------------------------------------

_KEYS = {"ecdsa-p256": "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1", "rsa-4096": "-newkey rsa:4096"}
_GENERATE = {
    "ecdsa-p256": "-algorithm EC -pkeyopt ec_paramgen_curve:prime256v1",
    "rsa-4096": "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",
}
_USAGE = "-addext keyUsage=critical,keyCertSign,cRLSign"
_SHELL_ROOT = f"""set -eu
umask 077
mkdir root
openssl req -x509 {{keys}} -nodes -keyout root/root-key.pem -out root/root-cert.pem -days {_DAYS["root"]} \\
    -subj '/CN=root CA' -addext basicConstraints=critical,CA:TRUE,pathlen:1 {_USAGE} 2>/dev/null
root=$(<root/root-cert.pem)
"""
_SHELL_FILES = """
    certificate=$(<"$name/ca-cert.pem")
    printf '%s\\n' "$certificate" "$root" >"$name/cert-chain.pem"
    printf '%s\\n' "$root" >"$name/root-cert.pem"
done
"""
# One process makes key and certificate, the shell's own words do the rest.
_ONE_STEP = f"""for name in {{names}}; do
    mkdir "$name"
    openssl req -x509 {{keys}} -nodes -keyout "$name/ca-key.pem" -out "$name/ca-cert.pem" -days {_LIFE} \\
        -CA root/root-cert.pem -CAkey root/root-key.pem -subj "/CN=$name intermediate CA" \\
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 {_USAGE} 2>/dev/null"""
# Key, request and signature one after the other, as Istio's own makefile for certificates does it.
_THREE_STEPS = f"""printf '%s\\n' basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign,cRLSign \\
    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid >extensions
for name in {{names}}; do
    mkdir "$name"
    openssl genpkey {{generate}} -out "$name/ca-key.pem" 2>/dev/null
    openssl req -new -key "$name/ca-key.pem" -subj "/CN=$name intermediate CA" -out "$name/ca.csr" 2>/dev/null
    openssl x509 -req -in "$name/ca.csr" -CA root/root-cert.pem -CAkey root/root-key.pem \\
        -days {_LIFE} -extfile extensions -out "$name/ca-cert.pem" 2>/dev/null"""
_LOOK = f"""for name in {{names}}; do
    openssl x509 -checkend {_WINDOW} -noout -in "$name/ca-cert.pem" >/dev/null
done
"""


def _shell(script: str) -> Callable[[Path, str, int], str]:
    def run(home: Path, key_type: str, count: int) -> str:
        text = script.format(keys=_KEYS[key_type], generate=_GENERATE[key_type], names=" ".join(_names(count)))
        return _run(["bash", "-s"], home, text=text)

    return run


# -- step --------------------------------------------------------------------------------------------------------------

_STEP_KEYS = {"ecdsa-p256": "--kty EC --curve P-256", "rsa-4096": "--kty RSA --size 4096"}
_STEP = f"""set -eu
umask 077
export STEPPATH=$PWD/.step
mkdir root
{STEP} certificate create 'root CA' root/root-cert.pem root/root-key.pem --profile root-ca {{keys}} \\
    --not-after {_DAYS["root"] * 24}h --no-password --insecure 2>/dev/null
root=$(<root/root-cert.pem)
for name in {{names}}; do
    mkdir "$name"
    {STEP} certificate create "$name intermediate CA" "$name/ca-cert.pem" "$name/ca-key.pem" \\
        --profile intermediate-ca {{keys}} --ca root/root-cert.pem --ca-key root/root-key.pem \\
        --not-after {_LIFE * 24}h --no-password --insecure 2>/dev/null"""
_STEP_LOOK = f"""export STEPPATH=$PWD/.step
for name in {{names}}; do
    {STEP} certificate needs-renewal "$name/ca-cert.pem" --expires-in {_WINDOW}s && exit 1
done
exit 0
"""


def _step(script: str) -> Callable[[Path, str, int], str]:
    def run(home: Path, key_type: str, count: int) -> str:
        return _run(["bash", "-s"], home, text=script.format(keys=_STEP_KEYS[key_type], names=" ".join(_names(count))))

    return run


def _no_step() -> str | None:
    return missing("step", "github.com/smallstep/cli/cmd/step")


# -- community.crypto --------------------------------------------------------------------------------------------------

_CRYPTO_KEYS: dict[str, dict[str, object]] = {
    "ecdsa-p256": {"type": "ECC", "curve": "secp256r1"},
    "rsa-4096": {"type": "RSA", "size": 4096},
}


def _crypto(home: Path, key_type: str, count: int) -> str:
    """Three tasks a certificate; the chain is one more, as nothing of that collection joins files."""
    usage: dict[str, object] = {
        "key_usage": ["keyCertSign", "cRLSign"],
        "key_usage_critical": True,
        "basic_constraints_critical": True,
    }

    def three(folder: str, key: str, name: str, path_length: int, **signing: object) -> list[dict[str, object]]:
        there = f"{home}/{folder}"
        common: dict[str, object] = {"loop": "{{ names }}"} if "item" in folder else {}
        made: list[dict[str, object]] = [
            {
                "community.crypto.openssl_privatekey": {
                    "path": f"{there}/{key}-key.pem", "format": "pkcs8", "format_mismatch": "convert",
                    **_CRYPTO_KEYS[key_type],
                }
            },
            {
                "community.crypto.openssl_csr": {
                    "path": f"{there}/{key}.csr", "privatekey_path": f"{there}/{key}-key.pem", "common_name": name,
                    "basic_constraints": ["CA:TRUE", f"pathlen:{path_length}"], "use_common_name_for_san": False,
                    **usage,
                }
            },
            {
                "community.crypto.x509_certificate": {
                    "path": f"{there}/{key}-cert.pem", "csr_path": f"{there}/{key}.csr", **signing,
                }
            },
        ]  # fmt: skip
        return [{**task, **common} for task in made]

    root, mine = f"{home}/root/root", "{{ item }}"
    selfsigned = {
        "provider": "selfsigned", "privatekey_path": f"{root}-key.pem", "selfsigned_not_after": f"+{_DAYS['root']}d",
    }  # fmt: skip
    owned = {
        "provider": "ownca", "ownca_path": f"{root}-cert.pem", "ownca_privatekey_path": f"{root}-key.pem",
        "ownca_not_after": f"+{_DAYS['intermediate']}d",
    }  # fmt: skip
    tasks: list[dict[str, object]] = [
        {"ansible.builtin.file": {"path": f"{home}/root", "state": "directory", "mode": "0700"}},
        *three("root", "root", "root CA", 1, **selfsigned),
        {
            "ansible.builtin.file": {"path": f"{home}/{mine}", "state": "directory", "mode": "0700"},
            "loop": "{{ names }}",
        },
        *three(mine, "ca", f"{mine} intermediate CA", 0, **owned),
        {
            "ansible.builtin.copy": {
                "dest": f"{home}/{mine}/cert-chain.pem", "mode": "0600",
                "content": f"{{{{ lookup('file', '{home}/' ~ item ~ '/ca-cert.pem') }}}}\n"
                f"{{{{ lookup('file', '{root}-cert.pem') }}}}\n",
            },
            "loop": "{{ names }}",
        },
        {
            "ansible.builtin.copy": {"dest": f"{home}/{mine}/root-cert.pem", "src": f"{root}-cert.pem", "mode": "0600"},
            "loop": "{{ names }}",
        },
    ]  # fmt: skip
    play: list[dict[str, object]] = [{**task, "vars": {"names": _names(count)}} for task in tasks]
    return _play(home, play, PEERS / "bin/ansible-playbook", ANSIBLE_PYTHON_INTERPRETER=str(PEERS / "bin/python"))


def _no_crypto() -> str | None:
    if (PEERS / "bin/ansible-playbook").exists():
        return None
    return f"{PEERS.name} isn't there (python -m venv it, and pip install --require-hashes -r requirements/bench.txt)"


WAYS = (
    Way("mesh_ca", _module, _module_again),
    Way("openssl", _shell(_SHELL_ROOT + _ONE_STEP + _SHELL_FILES), _shell(_LOOK)),
    Way("openssl in three steps", _shell(_SHELL_ROOT + _THREE_STEPS + _SHELL_FILES), _shell(_LOOK)),
    Way("step", _step(_STEP + _SHELL_FILES), _step(_STEP_LOOK), _no_step),
    Way("mesh_ca as a task", _task, lambda *given: _unchanged(_task(*given))),
    Way("community.crypto", _crypto, lambda *given: _unchanged(_crypto(*given)), _no_crypto),
)
