# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for K3s, for machines of the lab only. It is not K3s, and proves nothing about K3s.

It has K3s's command line, files and behaviour as the provider k3s uses them, on the lab's own Kubernetes programs.
Servers share an etcd without TLS whose members stay; an agent knows one server; no Helm charts or network policies."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

VERSION = "v0.0.0+k3s0"  # the lab writes the version here when it makes a release
FAULT = ""  # "start": a release that can't start
PROGRAMS = Path("/opt/standin")
ETC, DATA, RUN = Path("/etc/rancher/k3s"), Path("/var/lib/rancher/k3s"), Path("/run/k3s")
SERVER, AGENT = DATA / "server", DATA / "agent"
TLS, CRED, ADMIN = SERVER / "tls", SERVER / "cred", SERVER / "cred/super-admin.conf"
CTR = (PROGRAMS / "ctr", "--address", RUN / "containerd/containerd.sock", "--namespace", "k8s.io")
LABELS = ("--label=io.cri-containerd.image=managed", "--label=io.cri-containerd.pinned=pinned")
SHARED = ("ca.crt", "ca.key", "sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key")  # by all servers


def fatal(text: str) -> None:
    sys.exit(f'level=fatal msg="stand-in for K3s: {text}"')


def configuration() -> dict[str, str | list[str]]:
    """config.yaml: words and lists of words, as far as YAML goes here."""
    found, key = {}, ""
    for line in (ETC / "config.yaml").read_text().splitlines():
        if line.lstrip().startswith("- "):
            found[key] = [*(found[key] or []), line.lstrip()[2:].strip().strip("'\"")]
        elif line.strip() and not line.startswith("#"):
            key, _colon, value = line.partition(":")
            found[key] = value.strip().strip("'\"")
    return found


def listed(value: str | list[str] | None) -> list[str]:
    return value if isinstance(value, list) else [] if value in (None, "", "[]") else str(value).split(",")


def run(*words: str | Path, check: bool = True) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        fatal(f"{Path(str(words[0])).name} {words[1]}: {done.stderr.strip()[-400:]}")
    return done.stdout


def kubectl(*words: str, config: Path = ADMIN, check: bool = True) -> str:
    return run(PROGRAMS / "kubectl", f"--kubeconfig={config}", *words, check=check)


def items(*words: str, config: Path = ADMIN) -> list[dict]:
    return json.loads(kubectl("get", *words, "-o", "json", config=config, check=False) or '{"items": []}')["items"]


def internal(node: dict) -> str:
    return next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")


def ask(url: str, **what: object) -> dict:
    """What an API of another server answers; what is asked of etcd's goes to its JSON gateway."""
    request = urllib.request.Request(url, json.dumps(what).encode() if what else None)
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=20) as answer:
            return json.load(answer)
    except OSError as error:
        fatal(f"{url} doesn't answer: {error}")


def kubeadm(*words: str) -> None:
    run(PROGRAMS / "kubeadm", "init", "phase", *words, "--config", SERVER / "kubeadm.yaml")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_text(text)


def until(what: str, check: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            fatal(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


class Node:
    """What server and agent have in common: children that run as long as it does, and the node's own parts."""

    def __init__(self) -> None:
        self.config = configuration()
        self.name = os.uname().nodename
        self.children: list[subprocess.Popen[bytes]] = []
        self.pods = str(self.config.get("cluster-cidr", "10.42.0.0/16"))
        self.services = str(self.config.get("service-cidr", "10.43.0.0/16"))
        self.dns = self.services.rpartition(".")[0] + ".10"
        self.ip = str(self.config["node-ip"])
        self.peer = f"http://{self.ip}:2380"

    def token(self, option: str) -> tuple[str, str, str]:
        text = Path(str(self.config[option])).read_text().strip()
        secret = text.rpartition(":")[2]
        return text.partition("::")[0], secret, hashlib.sha256(secret.encode()).hexdigest()  # the first: K10, CA's hash

    def prove(self, ca: str) -> None:
        if self.token("token-file")[0] != f"K10{hashlib.sha256(ca.encode()).hexdigest()}":
            fatal("the token isn't this cluster's: its CA hash differs")

    def start(self, program: str, *words: str) -> None:
        environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        words = ("setpriv", "--pdeathsig=KILL", str(PROGRAMS / program), *words)  # K3s is one process
        self.children.append(subprocess.Popen(words, env=environment))

    def import_images(self) -> None:
        for archive in sorted((AGENT / "images").glob("*.tar")):
            mark = AGENT / "imported" / archive.name
            if not mark.exists() or mark.stat().st_mtime < archive.stat().st_mtime:
                run(*CTR, "images", "import", "--local", *LABELS, archive)
                write(mark, "")

    def start_node(self, kubeconfig: Path, ca: Path, *words: str) -> None:
        self.start("containerd", "--config", str(PROGRAMS / "containerd.toml"))
        until("containerd", lambda: subprocess.run([*CTR, "version"], capture_output=True, check=False).returncode == 0)
        self.import_images()
        write(AGENT / "kubelet.yaml", json.dumps({
            "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "cgroupDriver": "systemd",
            "authentication": {"x509": {"clientCAFile": str(ca)}}, "clusterDNS": [self.dns], "rotateCertificates": True,
            "containerRuntimeEndpoint": f"unix://{RUN}/containerd/containerd.sock", "cgroupRoot": "/kubelet",
        }))  # fmt: skip
        arguments = [f"--{word}" for word in listed(self.config.get("kubelet-arg"))]
        labels = ",".join(listed(self.config.get("node-label")))
        self.start("kubelet", f"--kubeconfig={kubeconfig}", f"--config={AGENT}/kubelet.yaml", f"--node-ip={self.ip}",
                   f"--cert-dir={AGENT}/pki", f"--hostname-override={self.name}", "--cluster-domain=cluster.local",
                   f"--node-labels={labels}", "--fail-swap-on=false", *words, *arguments)  # fmt: skip
        until("the node", lambda: kubectl("get", "node", self.name, config=kubeconfig, check=False))
        self.start("kube-proxy", f"--kubeconfig={kubeconfig}", f"--cluster-cidr={self.pods}",
                   f"--hostname-override={self.name}", "--conntrack-max-per-core=0")  # fmt: skip

    def route(self, kubeconfig: Path) -> None:
        """A way to the pods of each other node, as flannel's host-gw makes them."""
        for node in items("nodes", config=kubeconfig):
            if node["metadata"]["name"] != self.name and (pods := node["spec"].get("podCIDR")):
                run("ip", "route", "replace", pods, "via", internal(node), "proto", "77", check=False)

    def live(self) -> None:
        """Until a signal comes or a child ends; containers live on, as under K3s."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            self.begin()
            run("systemd-notify", "--ready")
            while all(child.poll() is None for child in self.children):
                self.tick()
                self.import_images()
                time.sleep(2)
            fatal("a part of it ended")
        finally:
            run("ip", "route", "flush", "proto", "77", check=False)
            for child in self.children:  # asked to end, an API server without etcd keeps its port for a minute
                child.kill()
                child.wait()


class Server(Node):
    def begin(self) -> None:
        joins = "server" in self.config and not (SERVER / "db/etcd").exists()
        members = self.join() if joins else f"{self.name}={self.peer}"
        self.credentials()
        self.start("etcd", f"--data-dir={SERVER}/db/etcd", f"--name={self.name}", f"--listen-peer-urls={self.peer}",
                   f"--initial-advertise-peer-urls={self.peer}", f"--advertise-client-urls=http://{self.ip}:2379",
                   "--listen-client-urls=http://0.0.0.0:2379", f"--initial-cluster={members}",
                   f"--initial-cluster-state={'existing' if joins else 'new'}")  # fmt: skip
        self.start("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={self.ip}",
                   f"--client-ca-file={TLS}/ca.crt", f"--tls-cert-file={TLS}/apiserver.crt", "--allow-privileged",
                   f"--tls-private-key-file={TLS}/apiserver.key", f"--service-account-key-file={TLS}/sa.pub",
                   f"--service-account-signing-key-file={TLS}/sa.key", "--authorization-mode=Node,RBAC",
                   "--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--secure-port=6443",
                   f"--service-cluster-ip-range={self.services}", "--enable-bootstrap-token-auth",
                   f"--kubelet-client-certificate={TLS}/apiserver-kubelet-client.crt",
                   f"--kubelet-client-key={TLS}/apiserver-kubelet-client.key")  # fmt: skip
        until("the API", lambda: kubectl("get", "--raw=/readyz", check=False) == "ok")
        shared = b64encode(json.dumps({name: (TLS / name).read_text() for name in SHARED}).encode()).decode()
        ask("http://127.0.0.1:2379/v3/kv/put", key=self.token("token-file")[2], value=shared)
        elect = f"--leader-elect={'true' if {'cluster-init', 'server'} & self.config.keys() else 'false'}"
        self.start("kube-controller-manager", f"--kubeconfig={CRED}/controller-manager.conf",
                   f"--root-ca-file={TLS}/ca.crt", f"--cluster-signing-cert-file={TLS}/ca.crt", "--allocate-node-cidrs",
                   f"--cluster-signing-key-file={TLS}/ca.key", f"--cluster-cidr={self.pods}", elect,
                   f"--service-account-private-key-file={TLS}/sa.key", "--controllers=*,bootstrapsigner,tokencleaner",
                   f"--service-cluster-ip-range={self.services}", "--use-service-account-credentials")  # fmt: skip
        self.start("kube-scheduler", f"--kubeconfig={CRED}/scheduler.conf", elect)
        self.start_node(ADMIN, TLS / "ca.crt")
        kubeadm("bootstrap-token", "--kubeconfig", str(ADMIN))
        told = (f"pods={self.pods}", f"dns={self.dns}")  # what an agent has to know
        kubectl("annotate", "configmap", "cluster-info", "--namespace=kube-public", "--overwrite", *told)
        kubeadm("addon", "coredns", "--kubeconfig", str(ADMIN))
        kubectl("label", "--overwrite", "node", self.name, "node-role.kubernetes.io/control-plane=true")
        role = ("--clusterrole=system:node-proxier", "--group=system:nodes")  # what kube-proxy at an agent needs
        kubectl("create", "clusterrolebinding", "standin:nodes", *role, check=False)
        write(ETC / "k3s.yaml", ADMIN.read_text().replace(f"https://{self.ip}:6443", "https://127.0.0.1:6443"))

    def join(self) -> str:
        """Fetch the CAs, become a member of etcd, and give all members as etcd wants to know them."""
        api = str(self.config["server"]).replace("https:", "http:").replace(":6443", ":2379/v3")
        key = self.token("token-file")[2]  # answers without a quorum: a join that was cut off may have broken it
        found = ask(f"{api}/kv/range", key=key, serializable=True).get("kvs") or fatal("an unknown token")
        for name, text in json.loads(b64decode(found[0]["value"])).items():
            write(TLS / name, text)
        self.prove((TLS / "ca.crt").read_text())
        members = ask(f"{api}/cluster/member/list", linearizable=False)["members"]
        if self.peer not in [each["peerURLs"][0] for each in members]:
            members = ask(f"{api}/cluster/member/add", peerURLs=[self.peer])["members"]
        return ",".join(f"{each.get('name') or self.name}={each['peerURLs'][0]}" for each in members)

    def credentials(self) -> None:
        _ca, agent, hashed = self.token("agent-token-file")
        write(SERVER / "kubeadm.yaml", json.dumps({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "certificatesDir": str(TLS),
            "kubernetesVersion": "v1.36.3", "imageRepository": "edge-mesh.local/kubernetes",
            "apiServer": {"certSANs": ["127.0.0.1", "localhost", self.ip, *listed(self.config.get("tls-san"))]},
            "networking": {"podSubnet": self.pods, "serviceSubnet": self.services},
        }) + "\n---\n" + json.dumps({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration",
            "bootstrapTokens": [{"token": f"{hashed[:6]}.{hashed[6:22]}", "ttl": "0s"}],
            "localAPIEndpoint": {"advertiseAddress": self.ip}, "nodeRegistration": {"name": self.name},
        }))  # fmt: skip
        run("rm", "-f", TLS / "apiserver.crt", TLS / "apiserver.key")  # other names may be wanted
        kubeadm("certs", "all")
        kubeadm("kubeconfig", "all", "--kubeconfig-dir", str(CRED))
        prefix = f"K10{hashlib.sha256((TLS / 'ca.crt').read_bytes()).hexdigest()}::"
        write(SERVER / "token", f"{prefix}server:{self.token('token-file')[1]}\n")
        write(SERVER / "agent-token", f"{prefix}node:{agent}\n")

    def tick(self) -> None:
        """ServiceLB, in small: a Service of type LoadBalancer gets the addresses of the nodes."""
        self.route(ADMIN)
        wanted = [{"ip": internal(node)} for node in items("nodes")]
        for item in items("services", "-A") if "servicelb" not in listed(self.config.get("disable")) else []:
            have = [{"ip": each.get("ip")} for each in item["status"].get("loadBalancer", {}).get("ingress", [])]
            if item["spec"]["type"] == "LoadBalancer" and have != wanted:
                patch = json.dumps({"status": {"loadBalancer": {"ingress": wanted}}})
                where = (item["metadata"]["name"], f"--namespace={item['metadata']['namespace']}")
                kubectl("patch", "service", *where, "--type=merge", "--subresource=status", "-p", patch, check=False)


class Agent(Node):
    def begin(self) -> None:
        own, bootstrap, ca = AGENT / "kubelet.kubeconfig", AGENT / "bootstrap.kubeconfig", AGENT / "ca.crt"
        found = ask(f"{(url := self.config['server'])}/api/v1/namespaces/kube-public/configmaps/cluster-info")
        self.pods, self.dns = (found["metadata"]["annotations"][name] for name in ("pods", "dns"))
        encoded = found["data"]["kubeconfig"].partition("certificate-authority-data:")[2].split()[0]
        write(ca, b64decode(encoded).decode())
        self.prove(ca.read_text())
        hashed = self.token("token-file")[2]
        write(bootstrap, json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": url, "certificate-authority-data": encoded}}],
            "users": [{"name": "x", "user": {"token": f"{hashed[:6]}.{hashed[6:22]}"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }))  # fmt: skip
        self.start_node(own, ca, f"--bootstrap-kubeconfig={bootstrap}")

    def tick(self) -> None:
        self.route(AGENT / "kubelet.kubeconfig")


def main(words: list[str]) -> None:
    if words == ["--version"]:
        print(f"k3s version {VERSION} (stand-in)\ngo version none: this is not K3s")
    elif words[:1] == ["kubectl"]:
        os.execv(PROGRAMS / "kubectl", ["kubectl", f"--kubeconfig={ETC}/k3s.yaml", *words[1:]])
    elif words == ["certificate", "rotate"]:
        for path in (*TLS.glob("*.crt"), *TLS.glob("*.key"), *CRED.glob("*.conf"), *(AGENT / "pki").glob("*")):
            if path.name not in SHARED:
                path.unlink()
    elif words in (["server"], ["agent"]):
        print(f"stand-in for K3s {VERSION}: this is not K3s", flush=True)
        if FAULT:
            fatal("this release can't start, as the lab wanted")
        (Server() if words[0] == "server" else Agent()).live()
    else:
        fatal(f"it doesn't know {' '.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1:])
