# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for K3s, for machines of the lab only. It is not K3s, and proves nothing about K3s.

It has K3s's command line, files and behaviour as far as the provider k3s uses them (docs.k3s.io), on the lab's own
Kubernetes programs, which the machine's image holds. One server, no Helm charts, no network policies."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import signal
import socket
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
SOCKET = RUN / "containerd/containerd.sock"
CTR = (PROGRAMS / "ctr", "--address", SOCKET, "--namespace", "k8s.io")
LABELS = ("--label=io.cri-containerd.image=managed", "--label=io.cri-containerd.pinned=pinned")
DIES_TOO = functools.partial(ctypes.CDLL(None).prctl, 1, signal.SIGKILL)  # K3s is one process
REGISTRY = "edge-mesh.local/kubernetes"


def fatal(text: str) -> None:
    sys.exit(f'level=fatal msg="stand-in for K3s: {text}"')


def configuration() -> dict[str, str | list[str]]:
    """config.yaml: words and lists of words, as far as YAML goes here."""
    found, key = {}, ""
    for line in (ETC / "config.yaml").read_text().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.lstrip().startswith("- "):
            found[key] = [*(found[key] or []), line.lstrip()[2:].strip().strip("'\"")]
        else:
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


def kubeadm(*words: str, config: Path) -> None:
    run(PROGRAMS / "kubeadm", *words, "--config", config)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_text(text)


def kubeconfig(cluster: dict, user: dict) -> str:
    context = {"cluster": "default", "user": "default"}
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "default",
        "users": [{"name": "default", "user": user}],
        "clusters": [{"name": "default", "cluster": cluster}], "contexts": [{"name": "default", "context": context}],
    })  # fmt: skip


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
        self.name = socket.gethostname()
        self.children: list[subprocess.Popen[bytes]] = []
        self.images: dict[str, float] = {}
        self.pods = str(self.config.get("cluster-cidr", "10.42.0.0/16"))
        self.services = str(self.config.get("service-cidr", "10.43.0.0/16"))
        self.dns = self.services.rpartition(".")[0] + ".10"
        self.ip = str(self.config["node-ip"])

    def token(self, option: str) -> str:
        return Path(str(self.config[option])).read_text().strip()

    def start(self, program: str, *words: str) -> None:
        environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        self.children.append(subprocess.Popen([str(PROGRAMS / program), *words], env=environment, preexec_fn=DIES_TOO))

    def start_runtime(self) -> None:
        (RUN / "containerd").mkdir(parents=True, exist_ok=True)
        self.start("containerd", "--config", str(PROGRAMS / "containerd.toml"))
        until("containerd", lambda: subprocess.run([*CTR, "version"], capture_output=True, check=False).returncode == 0)
        self.import_images()

    def import_images(self) -> None:
        for archive in sorted((AGENT / "images").glob("*.tar")):
            if self.images.get(archive.name) != archive.stat().st_mtime:
                run(*CTR, "images", "import", "--local", *LABELS, archive)
                self.images[archive.name] = archive.stat().st_mtime

    def start_node(self, kubeconfig: Path, ca: Path, *words: str) -> None:
        self.start_runtime()
        write(AGENT / "kubelet.yaml", json.dumps({
            "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "cgroupDriver": "systemd",
            "authentication": {"x509": {"clientCAFile": str(ca)}, "webhook": {"enabled": True}},
            "authorization": {"mode": "Webhook"}, "clusterDNS": [self.dns], "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{SOCKET}", "failSwapOn": False, "cgroupRoot": "/kubelet",
            "rotateCertificates": True, "resolvConf": "/etc/resolv.conf",
        }))  # fmt: skip
        arguments = [f"--{word}" for word in listed(self.config.get("kubelet-arg"))]
        if labels := listed(self.config.get("node-label")):
            arguments.append(f"--node-labels={','.join(labels)}")
        self.start("kubelet", f"--kubeconfig={kubeconfig}", f"--config={AGENT}/kubelet.yaml", f"--node-ip={self.ip}",
                   f"--cert-dir={AGENT}/pki", f"--hostname-override={self.name}", *words, *arguments)  # fmt: skip
        until("the node", lambda: kubectl("get", "node", self.name, config=kubeconfig, check=False))
        self.start("kube-proxy", f"--kubeconfig={kubeconfig}", f"--cluster-cidr={self.pods}",
                   f"--hostname-override={self.name}", "--conntrack-max-per-core=0")  # fmt: skip

    def route(self, kubeconfig: Path) -> None:
        """A way to the pods of each other node, as flannel's host-gw makes them."""
        for node in items("nodes", config=kubeconfig):
            if node["metadata"]["name"] != self.name and node["spec"].get("podCIDR"):
                way = ("via", internal(node), "proto", "77")
                run("ip", "route", "replace", node["spec"]["podCIDR"], *way, check=False)

    def ready(self) -> None:
        if address := os.environ.get("NOTIFY_SOCKET"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.sendto(b"READY=1", address.replace("@", "\0", 1))

    def live(self) -> None:
        """Until a signal comes or a child ends; containers live on, as under K3s."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            self.begin()
            self.ready()
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
        self.credentials()
        urls = "http://127.0.0.1:2379"
        self.start("etcd", f"--data-dir={SERVER}/db/etcd", f"--listen-client-urls={urls}",
                   f"--advertise-client-urls={urls}", "--listen-peer-urls=http://127.0.0.1:2380")  # fmt: skip
        self.start("kube-apiserver", f"--etcd-servers={urls}", f"--advertise-address={self.ip}", "--secure-port=6443",
                   f"--client-ca-file={TLS}/ca.crt", f"--tls-cert-file={TLS}/apiserver.crt", "--allow-privileged",
                   f"--tls-private-key-file={TLS}/apiserver.key", f"--service-account-key-file={TLS}/sa.pub",
                   f"--service-account-signing-key-file={TLS}/sa.key", "--authorization-mode=Node,RBAC",
                   "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                   f"--service-cluster-ip-range={self.services}", "--enable-bootstrap-token-auth",
                   f"--kubelet-client-certificate={TLS}/apiserver-kubelet-client.crt",
                   f"--kubelet-client-key={TLS}/apiserver-kubelet-client.key")  # fmt: skip
        until("the API", lambda: kubectl("get", "--raw=/readyz", check=False) == "ok")
        self.start("kube-controller-manager", f"--kubeconfig={CRED}/controller-manager.conf",
                   "--use-service-account-credentials",
                   f"--root-ca-file={TLS}/ca.crt", f"--cluster-signing-cert-file={TLS}/ca.crt", "--allocate-node-cidrs",
                   f"--cluster-signing-key-file={TLS}/ca.key", f"--cluster-cidr={self.pods}", "--leader-elect=false",
                   f"--service-account-private-key-file={TLS}/sa.key", "--controllers=*,bootstrapsigner,tokencleaner",
                   f"--service-cluster-ip-range={self.services}")  # fmt: skip
        self.start("kube-scheduler", f"--kubeconfig={CRED}/scheduler.conf", "--leader-elect=false")
        self.start_node(ADMIN, TLS / "ca.crt")
        kubeadm("init", "phase", "bootstrap-token", "--kubeconfig", str(ADMIN), config=SERVER / "kubeadm.yaml")
        shared = json.dumps({"data": {"pods": self.pods, "dns": self.dns}})
        kubectl("patch", "configmap", "cluster-info", "--namespace=kube-public", "--type=merge", "-p", shared)
        kubeadm("init", "phase", "addon", "coredns", "--kubeconfig", str(ADMIN), config=SERVER / "kubeadm.yaml")
        kubectl("label", "--overwrite", "node", self.name, "node-role.kubernetes.io/control-plane=true")
        role = ("--clusterrole=system:node-proxier", "--group=system:nodes")  # what kube-proxy at an agent needs
        kubectl("create", "clusterrolebinding", "standin:nodes", *role, check=False)
        view = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
        cluster = {**view["clusters"][0]["cluster"], "server": "https://127.0.0.1:6443"}
        write(ETC / "k3s.yaml", kubeconfig(cluster, view["users"][0]["user"]))

    def credentials(self) -> None:
        TLS.mkdir(parents=True, exist_ok=True)
        server, agent = (self.token(option).rpartition(":")[2] for option in ("token-file", "agent-token-file"))
        hashed = hashlib.sha256(agent.encode()).hexdigest()
        write(SERVER / "kubeadm.yaml", json.dumps({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "certificatesDir": str(TLS),
            "kubernetesVersion": "v1.36.3", "imageRepository": REGISTRY,
            "apiServer": {"certSANs": ["127.0.0.1", "localhost", self.ip, *listed(self.config.get("tls-san"))]},
            "networking": {"podSubnet": self.pods, "serviceSubnet": self.services},
        }) + "\n---\n" + json.dumps({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration",
            "bootstrapTokens": [{"token": f"{hashed[:6]}.{hashed[6:22]}", "ttl": "0s"}],
            "localAPIEndpoint": {"advertiseAddress": self.ip}, "nodeRegistration": {"name": self.name},
        }))  # fmt: skip
        (TLS / "apiserver.crt").unlink(missing_ok=True)  # other names may be wanted
        (TLS / "apiserver.key").unlink(missing_ok=True)
        kubeadm("init", "phase", "certs", "all", config=SERVER / "kubeadm.yaml")
        kubeadm("init", "phase", "kubeconfig", "all", "--kubeconfig-dir", str(CRED), config=SERVER / "kubeadm.yaml")
        prefix = f"K10{hashlib.sha256((TLS / 'ca.crt').read_bytes()).hexdigest()}::"
        write(SERVER / "token", f"{prefix}server:{server}\n")
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
        prefix, _separator, password = self.token("token-file").rpartition("::")
        url = f"{self.config['server']}/api/v1/namespaces/kube-public/configmaps/cluster-info"
        try:
            with urllib.request.urlopen(url, context=ssl._create_unverified_context(), timeout=20) as answer:
                data = json.load(answer)["data"]
        except OSError as error:
            fatal(f"the server doesn't answer: {error}")
        pem = b64decode(data["kubeconfig"].partition("certificate-authority-data:")[2].split()[0])
        if prefix != f"K10{hashlib.sha256(pem).hexdigest()}":
            fatal("the token isn't this cluster's: its CA hash differs")
        write(ca, pem.decode())
        self.pods, self.dns = data["pods"], data["dns"]
        hashed = hashlib.sha256(password.rpartition(":")[2].encode()).hexdigest()
        cluster = {"server": self.config["server"], "certificate-authority-data": b64encode(pem).decode()}
        write(bootstrap, kubeconfig(cluster, {"token": f"{hashed[:6]}.{hashed[6:22]}"}))
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
            if path.name not in ("ca.crt", "ca.key", "sa.key", "front-proxy-ca.crt", "front-proxy-ca.key"):
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
