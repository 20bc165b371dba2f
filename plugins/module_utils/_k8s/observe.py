# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what is there: kinds resolved, live objects by as few requests as possible (used by ``converge``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from ansible_collections.edge.mesh.plugins.module_utils._errors import MeshError
from ansible_collections.edge.mesh.plugins.module_utils._k8s import discovery, ownership
from ansible_collections.edge.mesh.plugins.module_utils._k8s.client import ApiError, Client
from ansible_collections.edge.mesh.plugins.module_utils._k8s.discovery import Resource
from ansible_collections.edge.mesh.plugins.module_utils._k8s.documents import Object, Ref, ref_of

__all__ = [
    "Parallel", "Target", "crd_instances", "kinds", "labelled", "members", "metadata", "read", "resolve",
]  # fmt: skip

_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# kinds that a person never puts into a set; the first two exist by the thousands
_NEVER_MEMBERS = frozenset({"Event", "ControllerRevision", "ComponentStatus", "CSINode", "CSIStorageCapacity"})

Live = Mapping[str, Any]
Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


class Parallel:
    """A few threads over the client's pooled connections, started when they are first needed."""

    def __init__(self, threads: int = 8) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, work: Callable[[Argument], Answer], arguments: Sequence[Argument]) -> list[Answer | MeshError]:
        """``work`` done on each argument, in order; a MeshError is an answer, so that one failure hides no other."""

        def guarded(argument: Argument) -> Answer | MeshError:
            try:
                return work(argument)
            except MeshError as error:
                return error

        if len(arguments) < 2:
            return [guarded(argument) for argument in arguments]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        return list(self._pool.map(guarded, arguments))

    def all(self, work: Callable[[Argument], Answer], arguments: Sequence[Argument]) -> list[Answer]:
        """As :meth:`map`, but raises the first failure, which tells how many others there are."""
        answers: list[Answer] = []
        failures: list[MeshError] = []
        for answer in self.map(work, arguments):
            if isinstance(answer, MeshError):
                failures.append(answer)
            else:
                answers.append(answer)
        if failures:
            raise _first_of(failures)
        return answers


def _first_of(failures: list[MeshError]) -> MeshError:
    first = failures[0]
    texts = {failure.message for failure in failures}
    if len(texts) > 1:
        first.why = f"{first.why}; and {len(texts) - 1} more like it" if first.why else None
        first.args = (first.message,)
    return first


@dataclass(frozen=True)
class Target:
    """An object of a call: which, where it is served (``served`` False: nowhere yet), and as what it is wished."""

    ref: Ref
    resource: Resource
    desired: Object
    served: bool = True

    @property
    def path(self) -> str:
        """The object's REST path."""
        return self.resource.path(self.ref.namespace, self.ref.name)


def resolve(
    client: Client, objects: Iterable[Object], *, absent: bool, site: str | None, predict: bool = False
) -> list[Target]:
    """The objects with their REST resources; the API server is asked only for kinds that nothing else tells.

    Raises MeshError for a kind that isn't served (``absent``: such an object is left out, it can't be there;
    ``predict``: it is kept as not served), for a namespaced object without a namespace, and for an object that stands
    twice.
    """
    objects = list(objects)
    known = {**discovery.built_in(), **discovery.from_crds(objects)}
    missing = {(item["apiVersion"], item["kind"]) for item in objects} - known.keys()
    if missing:
        core = any("/" not in version for version, _kind in missing)
        for resource in discovery.discover(client, core=core):
            known.setdefault((resource.api_version, resource.kind), resource)
    targets: dict[tuple[str, str, str, str], Target] = {}
    for item in objects:
        found = known.get((item["apiVersion"], item["kind"]))
        ref = ref_of(item)
        if found is None and absent:
            continue
        if found is None and not predict:
            raise MeshError(
                f"{ref} can't be applied",
                site=site,
                why=f"the cluster doesn't serve {item['apiVersion']} {item['kind']}",
                hint="install its CustomResourceDefinition first, or in the same call",
            )
        if found is None:
            # whoever wrote a namespace knows that the kind has one; its plural is never asked for
            unserved = Resource(item["apiVersion"], item["kind"], "", bool(ref.namespace), prunable=False)
            target = Target(ref, unserved, item, served=False)
        else:
            target = _target(ref, found, item, site)
        if target.ref.identity in targets:
            raise MeshError(f"{target.ref} stands twice", site=site, hint="leave one of them out")
        targets[target.ref.identity] = target
    return list(targets.values())


def _target(ref: Ref, resource: Resource, item: Object, site: str | None) -> Target:
    """The object at its place: a namespaced one must name its namespace, others lose theirs, as with kubectl."""
    if resource.namespaced:
        if not ref.namespace:
            raise MeshError(f"{ref} has no namespace", site=site, hint="set metadata.namespace")
        return Target(ref, resource, item)
    metadata = {name: value for name, value in item["metadata"].items() if name != "namespace"}
    return Target(Ref(ref.api_version, ref.kind, "", ref.name), resource, {**item, "metadata": metadata})


def read(
    client: Client, work: Parallel, targets: Sequence[Target], set_name: str | None
) -> dict[tuple[str, str, str, str], Live]:
    """The live objects of ``targets`` by identity; missing ones are left out.

    Where several objects of a kind are wished for, one list by the set's label fetches them; the rest is fetched one by
    one. A user who may get but not list is served too.
    """
    found: dict[tuple[str, str, str, str], Live] = {}
    by_resource: dict[Resource, list[Target]] = defaultdict(list)
    targets = [target for target in targets if target.served]
    for target in targets:
        by_resource[target.resource].append(target)
    lists = [(resource, group) for resource, group in by_resource.items() if set_name is not None and len(group) > 1]

    def listed(entry: tuple[Resource, list[Target]]) -> list[dict[str, Any]]:
        resource, group = entry
        namespaces = {target.ref.namespace for target in group}
        path = resource.path(namespaces.pop() if len(namespaces) == 1 else "")
        try:
            return client.list(path, labelSelector=ownership.selector(str(set_name)))
        except ApiError as error:
            if error.status in (403, 404):  # may not list, or the definition isn't there yet
                return []
            raise

    singles = [target for target in targets if not any(target.resource == resource for resource, _group in lists)]
    jobs: list[Callable[[], list[dict[str, Any]]]] = [partial(listed, entry) for entry in lists]
    jobs += [partial(_one, client, target) for target in singles]
    for items in work.all(lambda job: job(), jobs):
        found.update({ref_of(item).identity: item for item in items})
    rest = [target for target in targets if target.ref.identity not in found and target not in singles]
    for items in work.all(lambda target: _one(client, target), rest):
        found.update({ref_of(item).identity: item for item in items})
    for items in work.all(lambda target: _one(client, target), _in_other_versions(targets, found)):
        found.update({ref_of(item).identity: item for item in items})
    return {target.ref.identity: found[target.ref.identity] for target in targets if target.ref.identity in found}


def _in_other_versions(targets: Sequence[Target], found: Mapping[tuple[str, str, str, str], Live]) -> list[Target]:
    """Targets in a version that their definition, which is there already, doesn't serve yet: in one that it serves."""
    served: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for resource in discovery.from_crds(found.values()).values():
        served[resource.group, resource.kind].append(resource)
    return [
        Target(target.ref, served[target.ref.identity[:2]][0], target.desired)
        for target in targets
        if target.ref.identity not in found
        and target.ref.identity[:2] in served
        and target.resource not in served[target.ref.identity[:2]]
    ]


def _one(client: Client, target: Target) -> list[dict[str, Any]]:
    live = client.get(target.path)
    return [] if live is None else [live]


def members(
    client: Client, work: Parallel, set_name: str, among: Container[str] | None = None
) -> list[tuple[Resource, Live]]:
    """Every object with the set's label: see :func:`labelled`."""
    return labelled(client, work, ownership.selector(set_name), among=among)


def labelled(
    client: Client, work: Parallel, selector: str, *, strict: bool = False, among: Container[str] | None = None
) -> list[tuple[Resource, Live]]:
    """Every object that a label selector meets, metadata only, over all kinds that can be listed and deleted.

    ``among`` holds the group kinds to ask for; None asks for all. One request a kind, in parallel; kinds that this user
    may not list or whose server doesn't answer are left out, or an ApiError if ``strict``.
    """

    def listed(resource: Resource) -> list[tuple[Resource, Live]]:
        try:
            return [(resource, item) for item in metadata(client, resource, labelSelector=selector)]
        except ApiError as error:
            if error.status in (404, 405) or (error.status in (403, 503) and not strict):
                return []
            raise

    asked = [resource for resource in kinds(client) if among is None or resource.group_kind in among]
    return [entry for entries in work.all(listed, asked) for entry in entries]


def kinds(client: Client) -> list[Resource]:
    """The kinds that can be listed and deleted, each once, without those that nobody puts into a set; two requests."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in discovery.discover(client):
        if resource.prunable and resource.kind not in _NEVER_MEMBERS:
            found.setdefault((resource.group, resource.plural), resource)
    return list(found.values())


def metadata(client: Client, resource: Resource, namespace: str = "", **query: str) -> list[dict[str, Any]]:
    """The objects of a kind, metadata only, of one namespace or of all; raises ApiError."""
    answer = client.call("GET", resource.path(namespace), query=query, accept=_METADATA_ONLY)
    fixed = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [{**item, **fixed} for item in answer.get("items") or []]


def crd_instances(client: Client, definition: Live) -> list[Live]:
    """The custom resources of a definition, metadata only; none if it isn't served."""
    served = sorted(discovery.from_crds([definition]).values())
    for resource in served[:1]:
        try:
            return list(metadata(client, resource))
        except ApiError as error:
            if error.status == 404:
                return []
            raise
    return []
