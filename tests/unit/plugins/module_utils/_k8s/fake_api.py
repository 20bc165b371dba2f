# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small Kubernetes API over real HTTPS: server-side apply with field owners, dry runs, deletion, discovery.

It is held honest by running the same tests against a real API server (EDGE_MESH_TEST_KUBECONFIG).
"""

from __future__ import annotations

import copy
import itertools
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ansible_collections.edge.mesh.plugins.module_utils._k8s import discovery

KEYED = {"containers": "name", "webhooks": "name"}
IDENTITY = {("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")}
TOKEN = "the-token"


class Refusal(Exception):
    """An answer outside 2xx."""

    def __init__(self, code, reason, message, causes=()):
        self.code = code
        self.status = {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": message, "details": {"causes": list(causes)},
        }  # fmt: skip


def leaves(value, path=()):
    """The field paths of a value, as FieldsV1 names them; lists are atomic unless KEYED."""
    if isinstance(value, dict) and value:
        return {path_ for name, item in value.items() for path_ in leaves(item, (*path, f"f:{name}"))}
    key = KEYED.get(path[-1][2:]) if path else None
    if isinstance(value, list) and key:
        return {
            path_
            for item in value
            for path_ in leaves(item, (*path, f"k:{json.dumps({key: item[key]}, separators=(',', ':'))}"))
        }
    return {path}


def step(value, part):
    """The child of a value that one part of a path names, None if it isn't there."""
    if part.startswith("f:"):
        return value.get(part[2:]) if isinstance(value, dict) else None
    key = json.loads(part[2:])
    return next((item for item in value or [] if all(item.get(k) == v for k, v in key.items())), None)


def get(value, path):
    for part in path:
        value = step(value, part)
        if value is None:
            return None
    return value


def put(value, path, new):
    for part, following in itertools.pairwise((*path, None)):
        if following is None:
            value[part[2:]] = new
            return
        child = step(value, part)
        if child is None and part.startswith("f:"):
            child = value[part[2:]] = [] if following.startswith("k:") else {}
        elif child is None:
            child = json.loads(part[2:])
            value.append(child)
        value = child


def drop(value, path):
    holder = get(value, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1][2:], None)
        if not holder and len(path) > 2:
            drop(value, path[:-1])


def tree(paths):
    result = {}
    for path in paths:
        node = result
        for part in path:
            node = node.setdefault(part, {})
    return result


class FakeApi:
    """Objects by path, and who owns which of their fields."""

    def __init__(self):
        self.objects = {}
        self.owners = {}
        self.requests = []
        self.fault = lambda method, path: None
        self.slow_to_die = 0
        self.lock = threading.RLock()
        self.count = itertools.count(1)
        for name in ("default", "kube-system"):
            self.put_object(
                f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )

    # -- storage ------------------------------------------------------------------------------------------------------

    def put_object(self, path, item, manager="setup"):
        item = copy.deepcopy(item)
        item["metadata"].update(uid=f"uid-{next(self.count)}", generation=1)
        self.objects[path] = item
        self.owners[path] = {(manager, "Update", ""): leaves(item) - IDENTITY}
        self.touch(path)

    def touch(self, path):
        item = self.objects[path]
        item["metadata"]["resourceVersion"] = str(next(self.count))
        if item["kind"] == "CustomResourceDefinition":
            item["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
        if item["kind"] == "Namespace":
            item["status"] = {"phase": "Active"}

    def kinds(self):
        return [*discovery.built_in().values(), *discovery.from_crds(list(self.objects.values())).values()]

    def resource(self, path):
        """The resource, namespace, name and subresource that a path means."""
        for kind in self.kinds():
            root = kind.path()[: -len(kind.plural)]
            if not path.startswith(root):
                continue
            parts = path[len(root) :].split("/")
            namespace = ""
            if kind.namespaced and parts[0] == "namespaces" and len(parts) > 2:
                namespace, parts = parts[1], parts[2:]
            if kind.kind == "Namespace" and parts[2:3] not in ([], ["status"]):
                continue
            if parts[0] == kind.plural and (namespace or not kind.namespaced or len(parts) == 1):
                return kind, namespace, (parts[1:2] or [""])[0], (parts[2:3] or [""])[0]
        raise Refusal(404, "NotFound", "the server could not find the requested resource")

    def shown(self, path):
        item = copy.deepcopy(self.objects[path])
        item["metadata"]["managedFields"] = [
            {"manager": m, "operation": op, "fieldsV1": tree(paths), **({"subresource": sub} if sub else {})}
            for (m, op, sub), paths in self.owners[path].items()
            if paths
        ]
        return item

    # -- requests -----------------------------------------------------------------------------------------------------

    def answer(self, method, target, headers, body):
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        with self.lock:
            self.requests.append((method, url.path, query))
            self.fault(method, url.path)
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "Unauthorized", "Unauthorized")
            if url.path in ("/api", "/apis"):
                return self.discovery(core=url.path == "/api")
            kind, namespace, name, subresource = self.resource(url.path)
            if method == "GET":
                return self.one(url.path) if name else self.collection(kind, namespace, query)
            path = url.path.removesuffix(f"/{subresource}") if subresource else url.path
            if method == "DELETE":
                return self.delete(path, body or {})
            if method == "PATCH" and "apply-patch" in headers["Content-Type"]:
                return self.apply(path, namespace, body, query, subresource)
            if method == "PATCH":
                return self.update(path, body, query.get("fieldManager", "hand"), subresource)
        raise Refusal(405, "MethodNotAllowed", "no such method")

    def discovery(self, core):
        groups = {}
        for kind in self.kinds():
            if (kind.group == "") == core:
                groups.setdefault(kind.group, {}).setdefault(kind.api_version.rpartition("/")[2], []).append(
                    {"resource": kind.plural, "responseKind": {"kind": kind.kind},
                     "scope": "Namespaced" if kind.namespaced else "Cluster", "verbs": ["list", "delete", "patch"]}
                )  # fmt: skip
        return {
            "kind": "APIGroupDiscoveryList",
            "items": [
                {"metadata": {"name": group}, "versions": [{"version": v, "resources": r} for v, r in versions.items()]}
                for group, versions in groups.items()
            ],
        }

    def one(self, path):
        item = self.objects.get(path)
        if item is not None and "deletionTimestamp" in item["metadata"]:
            self.slow_to_die -= 1
            if self.slow_to_die < 0:
                self.bury(path)
        if path not in self.objects:
            raise Refusal(404, "NotFound", f"{path} not found")
        return self.shown(path)

    def collection(self, kind, namespace, query):
        wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
        items = [
            self.shown(path)
            for path, item in self.objects.items()
            if item["kind"] == kind.kind and item["apiVersion"] == kind.api_version
            and namespace in ("", item["metadata"].get("namespace"))
            and wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]  # fmt: skip
        for item in items:
            del item["kind"], item["apiVersion"]
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": {}, "items": items}

    def delete(self, path, options):
        item = self.objects.get(path)
        if item is None:
            raise Refusal(404, "NotFound", f"{path} not found")
        if options.get("preconditions", {}).get("uid") not in (None, item["metadata"]["uid"]):
            raise Refusal(409, "Conflict", "the UID in the precondition is another")
        if options.get("dryRun"):
            return self.shown(path)
        if self.slow_to_die > 0:
            item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return self.shown(path)
        self.bury(path)
        return {"kind": "Status", "status": "Success"}

    def bury(self, path):
        item = self.objects.pop(path)
        if item["kind"] == "Namespace":
            for inner in [
                p for p, i in self.objects.items() if i["metadata"].get("namespace") == item["metadata"]["name"]
            ]:
                del self.objects[inner]

    def apply(self, path, namespace, body, query, subresource):
        if namespace and f"/api/v1/namespaces/{namespace}" not in self.objects:
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
        if subresource and path not in self.objects:
            raise Refusal(404, "NotFound", f"{path} not found")
        dry = query.get("dryRun") == "All"
        before = copy.deepcopy((self.objects, self.owners))
        me = (query["fieldManager"], "Apply", subresource)
        new = leaves(body) - IDENTITY
        fresh = path not in self.objects
        if fresh:
            self.objects[path] = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {
                **{k: v for k, v in body["metadata"].items() if k in ("name", "namespace")},
                "uid": f"uid-{next(self.count)}", "generation": 1}}  # fmt: skip
            self.owners[path] = {}
        live, owners = self.objects[path], self.owners[path]
        clashes = [
            (manager, field) for manager, fields in owners.items() if manager != me
            for field in fields & new if get(live, field) != get(body, field)
        ]  # fmt: skip
        if clashes and query.get("force") != "true":
            self.objects, self.owners = before
            raise Refusal(409, "Conflict", f"Apply failed with {len(clashes)} conflicts", [
                {"reason": "FieldManagerConflict", "message": f'conflict with "{manager[0]}" using v1',
                 "field": "".join(f".{part[2:]}" for part in field)} for manager, field in clashes
            ])  # fmt: skip
        changed = fresh or owners.get(me, set()) != new
        for manager, field in clashes:
            owners[manager].discard(field)
        shared = {field for manager, fields in owners.items() if manager != me for field in fields}
        for field in sorted(owners.get(me, set()) - new - shared):
            drop(live, field)
        for field in sorted(new):
            if get(live, field) != get(body, field):
                put(live, field, copy.deepcopy(get(body, field)))
                changed = True
        owners[me] = new
        if changed:
            self.touch(path)
        answer = self.shown(path)
        if dry:
            self.objects, self.owners = before
        return answer

    def update(self, path, patch, manager, subresource):
        """What a hand does: a merge patch, after which the manager owns what it changed."""
        if path not in self.objects:
            raise Refusal(404, "NotFound", f"{path} not found")
        live = self.objects[path]
        before = copy.deepcopy(live)
        merge(live, patch)
        changed = {
            field for field in leaves(live) - IDENTITY if get(live, field) not in ({}, get(before, field))
        }  # fmt: skip
        gone = {field for field in leaves(before) if get(live, field) is None}
        for fields in self.owners[path].values():
            fields -= changed | gone
        self.owners[path].setdefault((manager, "Update", subresource), set()).update(changed)
        self.touch(path)
        return self.shown(path)


def merge(target, patch):
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            merge(target[name], value)
        else:
            target[name] = value


class Server:
    """A fake API, or any other answerer, behind real HTTP(S) on the loopback."""

    def __init__(self, answer, *, certificate=None, client_ca=None):
        self.answer = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                outer.answer(self, raw)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

            def log_message(self, *arguments):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # clients that break off are the point of some tests

        self.http = Quiet(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if client_ca is not None:
                context.load_verify_locations(cadata=client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)


def reply(handler, code, body, headers=()):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(code)
    for name, value in [("Content-Type", "application/json"), *headers]:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def answering(api):
    """The answerer for a FakeApi."""

    def answer(handler, raw):
        try:
            result = api.answer(handler.command, handler.path, handler.headers, json.loads(raw) if raw else None)
        except Refusal as refusal:
            reply(handler, refusal.code, refusal.status)
        else:
            reply(handler, 200, result)

    return answer
