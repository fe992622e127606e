package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// addedFolders are where the datastores of added datacenters keep their files.
var addedFolders []string

// controlDatacenter adds a datacenter with what the first one has, under the names that it would have there.
func controlDatacenter(q url.Values) (answers, error) {
	steps := strings.Split(strings.Trim(q.Get("path"), "/"), "/")
	name := steps[len(steps)-1]
	if name == "" {
		return nil, fmt.Errorf("path=%q is no inventory path, as /F0/DC0", q.Get("path"))
	}
	content := simulator.Map.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content
	folder := content.RootFolder
	for _, step := range steps[:len(steps)-1] {
		child, err := subfolder(folder, step)
		if err != nil {
			return nil, err
		}
		folder = child
	}
	if simulator.Map.FindByName(name, simulator.Map.Get(folder).(*simulator.Folder).ChildEntity) != nil {
		return nil, fmt.Errorf("path=%q is there already", q.Get("path"))
	}
	ref, err := added(invoke(folder, &types.CreateDatacenter{This: folder, Name: name}))
	if err != nil {
		return nil, err
	}
	if err := equipDatacenter(simulator.Map.Get(ref).(*simulator.Datacenter)); err != nil {
		return nil, err
	}
	return answers{"datacenter": ref.Value}, nil
}

// subfolder is the folder of that name; where there is none, it is made.
func subfolder(folder types.ManagedObjectReference, name string) (types.ManagedObjectReference, error) {
	if child := simulator.Map.FindByName(name, simulator.Map.Get(folder).(*simulator.Folder).ChildEntity); child != nil {
		if _, ok := child.(*simulator.Folder); !ok {
			return folder, fmt.Errorf("%s is no folder", name)
		}
		return child.Reference(), nil
	}
	return added(invoke(folder, &types.CreateFolder{This: folder, Name: name}))
}

// equipDatacenter gives a datacenter a switch with two port groups, a cluster, two datastores, a folder and templates.
func equipDatacenter(datacenter *simulator.Datacenter) error {
	vswitch, err := added(invoke(datacenter.NetworkFolder, &types.CreateDVS_Task{This: datacenter.NetworkFolder,
		Spec: types.DVSCreateSpec{ConfigSpec: &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: "DVS0"}}}}))
	if err != nil {
		return err
	}
	for i := 0; i < portgroups; i++ {
		name := fmt.Sprintf("%s_DVPG%d", datacenter.Name, i)
		if _, fault := invoke(vswitch, &types.AddDVPortgroup_Task{This: vswitch, Spec: []types.DVPortgroupConfigSpec{{Name: name}}}); fault != nil {
			return fmt.Errorf("%s: %s", name, typeName(fault))
		}
	}
	markUplinks()
	cluster, err := addCluster(datacenter, datacenter.Name+"_C0", vswitch)
	if err != nil {
		return err
	}
	if err := addDatastores(cluster); err != nil {
		return err
	}
	if _, err := subfolder(datacenter.VmFolder, serversFolder); err != nil {
		return err
	}
	place := place{folder: datacenter.VmFolder, pool: *cluster.ResourcePool}
	for name, size := range templates {
		ref, err := createTemplate(place, name, size)
		if err != nil {
			return err
		}
		identify(vmOf(ref)) // else it would have those of the template of that name in the first datacenter
	}
	return nil
}

// addCluster makes a cluster like the first one, its ESXi hosts on the switch.
func addCluster(datacenter *simulator.Datacenter, name string, vswitch types.ManagedObjectReference) (*simulator.ClusterComputeResource, error) {
	ref, err := added(invoke(datacenter.HostFolder, &types.CreateClusterEx{This: datacenter.HostFolder, Name: name}))
	if err != nil {
		return nil, err
	}
	for i := 0; i < esxiHosts; i++ {
		host, err := added(invoke(ref, &types.AddHost_Task{This: ref, AsConnected: true,
			Spec: types.HostConnectSpec{HostName: fmt.Sprintf("%s_H%d", name, i)}}))
		if err != nil {
			return nil, err
		}
		member := types.DistributedVirtualSwitchHostMemberConfigSpec{Operation: string(types.ConfigSpecOperationAdd), Host: host}
		if _, fault := invoke(vswitch, &types.ReconfigureDvs_Task{This: vswitch, Spec: &types.DVSConfigSpec{
			Host: []types.DistributedVirtualSwitchHostMemberConfigSpec{member}}}); fault != nil {
			return nil, fmt.Errorf("%s: %s", name, typeName(fault))
		}
	}
	cluster := simulator.Map.Get(ref).(*simulator.ClusterComputeResource)
	pool := *cluster.ResourcePool
	_, err = added(invoke(pool, &types.CreateResourcePool{This: pool, Name: name + "_RP1", Spec: types.DefaultResourceConfigSpec()}))
	return cluster, err
}

// addDatastores makes datastores that all ESXi hosts of a cluster have.
func addDatastores(cluster *simulator.ClusterComputeResource) error {
	for i := 0; i < datastores; i++ {
		folder, err := os.MkdirTemp("", "lab-datastore-")
		if err != nil {
			return err
		}
		addedFolders = append(addedFolders, folder)
		system := *hostOf(cluster.Host[0]).ConfigManager.DatastoreSystem
		ref, err := added(invoke(system, &types.CreateLocalDatastore{This: system, Name: fmt.Sprintf("LocalDS_%d", i), Path: folder}))
		if err != nil {
			return err
		}
		sizeDatastore(simulator.Map.Get(ref).(*simulator.Datastore))
	}
	mountDatastores(hostOf(cluster.Host[0]).Datastore, cluster)
	return nil
}

// mountDatastores has the ESXi hosts of a cluster see these datastores.
func mountDatastores(refs []types.ManagedObjectReference, cluster *simulator.ClusterComputeResource) {
	for _, ref := range cluster.Host {
		host := hostOf(ref)
		simulator.Map.WithLock(host, func() { host.Datastore = append([]types.ManagedObjectReference(nil), refs...) })
	}
	simulator.Map.WithLock(cluster, func() { cluster.Datastore = append([]types.ManagedObjectReference(nil), refs...) })
}

// controlCluster adds a cluster to a datacenter, with the datastores and the switch of that.
func controlCluster(q url.Values) (answers, error) {
	datacenter, err := namedDatacenter(q)
	if err != nil {
		return nil, err
	}
	name := q.Get("name")
	if name == "" || simulator.Map.FindByName(name, simulator.Map.Get(datacenter.HostFolder).(*simulator.Folder).ChildEntity) != nil {
		return nil, fmt.Errorf("name=%q is no name, or there already", name)
	}
	vswitch := simulator.Map.FindByName("DVS0", simulator.Map.Get(datacenter.NetworkFolder).(*simulator.Folder).ChildEntity)
	cluster, err := addCluster(datacenter, name, vswitch.Reference())
	if err != nil {
		return nil, err
	}
	mountDatastores(datacenter.Datastore, cluster)
	return answers{"cluster": cluster.Self.Value}, nil
}

// namedDatacenter is the one of datacenter=, an inventory path; without it the first one.
func namedDatacenter(q url.Values) (*simulator.Datacenter, error) {
	wanted := q.Get("datacenter")
	if wanted == "" {
		wanted = "/DC0"
	}
	for _, entity := range simulator.Map.All("Datacenter") {
		path, above := "", entity
		for above != nil && above.Entity().Parent != nil {
			path = "/" + above.Entity().Name + path
			above, _ = simulator.Map.Get(*above.Entity().Parent).(mo.Entity)
		}
		if path == wanted {
			return entity.(*simulator.Datacenter), nil
		}
	}
	return nil, fmt.Errorf("datacenter=%q is no inventory path of a datacenter", wanted)
}

// added is the reference of what was made.
func added(result types.AnyType, fault types.BaseMethodFault) (types.ManagedObjectReference, error) {
	if fault != nil {
		return types.ManagedObjectReference{}, fmt.Errorf("refused: %s", typeName(fault))
	}
	return result.(types.ManagedObjectReference), nil
}

// identify gives a VM identifiers of its own: 0.24.2 makes them of its name and its datastore's.
func identify(vm *simulator.VirtualMachine) {
	biosUUID, instanceUUID := uuid.New().String(), uuid.New().String()
	simulator.Map.WithLock(vm, func() {
		simulator.Map.Update(vm, []types.PropertyChange{
			{Name: "config.uuid", Val: biosUUID}, {Name: "summary.config.uuid", Val: biosUUID},
			{Name: "config.instanceUuid", Val: instanceUUID}, {Name: "summary.config.instanceUuid", Val: instanceUUID},
		})
	})
}

func hostOf(ref types.ManagedObjectReference) *simulator.HostSystem {
	return simulator.Map.Get(ref).(*simulator.HostSystem)
}
