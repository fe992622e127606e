"""The datastore for a VM: the requested one, Storage DRS's recommendation, or the template's.

Where a datastore cluster is requested, the recommendation decides. It is taken, and not applied:
the clone is an ordinary CloneVM_Task to the datastore that it names, as `govc vm.clone` makes it.
So a clone is found again by its template's tasks, and undone, also where the answer got lost; a
task of ApplyStorageDrsRecommendation_Task is the datastore cluster's, and what it applies has a key
that expires, so that nothing could be repeated. What it would do beyond the clone, to move other
VMs away first, is not asked for.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.StorageResourceManager.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyVmomi import vim

from diaken_cli.errors import Unreachable, VSphereError
from diaken_cli.services.vsphere.inventory import (
    Cluster,
    Datastore,
    DatastoreCluster,
    Entity,
    EsxiHost,
)
from diaken_cli.services.vsphere.properties import reference
from diaken_cli.services.vsphere.requested import Requested
from diaken_cli.services.vsphere.session import Session
from diaken_cli.text import join_names
from diaken_cli.units import rounded_size

Recommend = Callable[[DatastoreCluster, Mapping[str, Entity]], Sequence[str]]
"""The datastores (references) that Storage DRS recommends, the best first.

They are for a clone with these places, by their options. It may raise VSphereError.
"""

_PLACES = {"--template", "--folder", "--resource-pool"}
"""What Storage DRS has to know."""

_drs = vim.storageDrs


@dataclass(frozen=True)
class Need:
    """What a VM needs of a datastore: that one of these ESXi hosts has it, and `room` in bytes."""

    cluster: Cluster
    hosts: Sequence[EsxiHost]
    room: int

    @property
    def reached(self) -> frozenset[str]:
        """The datastores that the hosts have."""
        return frozenset(ref for host in self.hosts for ref in host.datastores)


def choose_datastore(
    requested: Requested, need: Need, own: frozenset[str], recommend: Recommend
) -> tuple[Datastore | None, DatastoreCluster | None]:
    """The datastore, and the datastore cluster that it is requested by; what is wrong is noted.

    `own` are the template's datastores.
    """
    name = requested.request.datastore
    datastores = requested.within(requested.inventory.datastores)
    clusters = requested.within(requested.inventory.datastore_clusters)
    chosen: Datastore | DatastoreCluster | None
    if name is None:
        chosen = _default(requested, need, own, datastores)
    else:
        reached = need.reached | {cluster.ref for cluster in clusters}
        both: list[Datastore | DatastoreCluster] = [*datastores, *clusters]
        chosen = requested.reachable(both, reached, "--datastore", name, need.cluster)
    if isinstance(chosen, DatastoreCluster):
        members = [store for store in datastores if store.ref in chosen.datastores]
        return _recommended(requested, need, chosen, members, recommend), chosen
    if chosen is not None and not chosen.accessible:
        message = f"{chosen.path} is inaccessible or in maintenance mode"
        requested.wrong("--datastore", message)
    elif chosen is not None:
        _check_room(requested, need, chosen)
    return chosen, None


def _default(
    requested: Requested, need: Need, own: frozenset[str], datastores: Sequence[Datastore]
) -> Datastore | None:
    """The template's while it has the room, else the emptiest."""
    usable = [store for store in datastores if store.ref in need.reached and store.accessible]
    if not usable:
        message = f"no datastore is accessible from {need.cluster.path}"
        requested.wrong("--datastore", message)
        return None
    roomy = [store for store in usable if store.ref in own and store.free >= need.room]
    return max(roomy or usable, key=lambda store: (store.free, store.ref))


def _check_room(requested: Requested, need: Need, datastore: Datastore, by: str = "") -> None:
    if datastore.free < need.room:
        message = (
            f"{by}{datastore.path} has {rounded_size(datastore.free)} free, but the disks need"
            f" {rounded_size(need.room)} (full size: thin disks grow to that)"
        )
        requested.wrong("--datastore", message)


# ── Storage DRS ──────────────────────────────────────────────────────────────────────────────


def _recommended(
    requested: Requested,
    need: Need,
    cluster: DatastoreCluster,
    members: Sequence[Datastore],
    recommend: Recommend,
) -> Datastore | None:
    """The best recommended one that the ESXi hosts have, and that has the room."""
    what = f"the datastore cluster {cluster.path}"
    usable = [store for store in members if store.ref in need.reached and store.accessible]
    refs: Sequence[str] = ()
    if not cluster.storage_drs:
        names = join_names(sorted(store.name for store in members)) or "it has none"
        message = f"Storage DRS is off in {what}; choose one of its datastores: {names}"
    elif not usable:
        message = f"no datastore of {what} is accessible from {need.cluster.path}"
    elif requested.mistakes or not requested.places.keys() >= _PLACES:
        return None  # it would only refuse what is wrong already
    else:
        message = f"Storage DRS recommends no datastore of {what}"
        try:
            refs = recommend(cluster, requested.places)
        except Unreachable:
            raise
        except VSphereError as refused:
            message = f"{message}: {refused.message}"
    by_rank = [store for ref in refs for store in usable if store.ref == ref]
    if not by_rank:
        requested.wrong("--datastore", message)
        return None
    chosen = next((store for store in by_rank if store.free >= need.room), by_rank[0])
    _check_room(requested, need, chosen, by=f"Storage DRS recommends {chosen.name} of {what}, but ")
    return chosen


def recommend_datastores(
    session: Session, name: str, cluster: DatastoreCluster, places: Mapping[str, Entity]
) -> tuple[str, ...]:
    """What Storage DRS recommends for a clone of that name: see `Recommend`."""
    manager = session.content.storageResourceManager
    if manager is None:
        raise VSphereError("this vCenter has no Storage DRS", code="not_supported")
    pool = session.managed(vim.ResourcePool, places["--resource-pool"].ref)
    result = manager.RecommendDatastores(
        _drs.StoragePlacementSpec(
            type="clone",
            vm=session.managed(vim.VirtualMachine, places["--template"].ref),
            cloneName=name,
            folder=session.managed(vim.Folder, places["--folder"].ref),
            cloneSpec=vim.vm.CloneSpec(
                location=vim.vm.RelocateSpec(pool=pool), powerOn=False, template=False
            ),
            podSelectionSpec=_drs.PodSelectionSpec(
                storagePod=session.managed(vim.StoragePod, cluster.ref)
            ),
            disallowPrerequisiteMoves=True,
        )
    )
    destinations = (
        action.destination
        for recommendation in result.recommendations
        for action in recommendation.action
        if isinstance(action, _drs.StoragePlacementAction)
    )
    return tuple(dict.fromkeys(reference(each) for each in destinations if each is not None))
