package main

import (
	"fmt"
	"net/url"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// controlVApp puts a VM into a vApp, which is made where there is none of that name: then the VM has no parent, but a
// parentVApp, and the vApp stands in the VM's folder.
func controlVApp(q url.Values) (answers, error) {
	vm, err := namedVM(q)
	if err != nil {
		return nil, err
	}
	pool, ok := simulator.Map.Get(*vm.ResourcePool).(*simulator.ResourcePool)
	if !ok || vm.Parent == nil {
		return nil, fmt.Errorf("vm=%q is in a vApp already", q.Get("vm"))
	}
	folder := simulator.Map.Get(*vm.Parent).(*simulator.Folder)
	found := simulator.Map.FindByName(q.Get("name"), pool.ResourcePool.ResourcePool)
	if found == nil {
		ref, err := added(invoke(pool.Self, &types.CreateVApp{This: pool.Self, Name: q.Get("name"), VmFolder: &folder.Self,
			ResSpec: types.DefaultResourceConfigSpec(), ConfigSpec: simulator.NewVAppConfigSpec()}))
		if err != nil {
			return nil, err
		}
		found = simulator.Map.Get(ref).(*simulator.VirtualApp)
	}
	vapp, ok := found.(*simulator.VirtualApp)
	if !ok {
		return nil, fmt.Errorf("name=%q is no vApp", q.Get("name"))
	}
	simulator.Map.RemoveReference(folder, &folder.ChildEntity, vm.Self)
	simulator.Map.RemoveReference(pool, &pool.Vm, vm.Self)
	simulator.Map.AppendReference(vapp, &vapp.Vm, vm.Self)
	simulator.Map.WithLock(vm, func() { vm.Parent, vm.ParentVApp, vm.ResourcePool = nil, &vapp.Self, &vapp.Self })
	return answers{"vapp": vapp.Self.Value}, nil
}

// leaveVApp puts a VM back into the folder that its vApp is in, where 0.24.2 looks for it.
func leaveVApp(vm *simulator.VirtualMachine) {
	if vm.ParentVApp == nil {
		return
	}
	vapp := simulator.Map.Get(*vm.ParentVApp).(*simulator.VirtualApp)
	simulator.Map.WithLock(vm, func() { vm.Parent, vm.ParentVApp = vapp.ParentFolder, nil })
}

// controlOpaque adds an opaque network, as NSX makes it, to the ESXi hosts of a datacenter, or with hosts=no to none.
func controlOpaque(q url.Values) (answers, error) {
	datacenter, err := namedDatacenter(q)
	if err != nil {
		return nil, err
	}
	folder := simulator.Map.Get(datacenter.NetworkFolder).(*simulator.Folder)
	name := q.Get("name")
	if name == "" || simulator.Map.FindByName(name, folder.ChildEntity) != nil {
		return nil, fmt.Errorf("name=%q is no name, or there already", name)
	}
	if err := folder.AddOpaqueNetwork(types.OpaqueNetworkSummary{NetworkSummary: types.NetworkSummary{Name: name}}); err != nil {
		return nil, err
	}
	network := simulator.Map.FindByName(name, folder.ChildEntity).(*mo.OpaqueNetwork)
	provided := q.Get("hosts") != "no"
	simulator.Map.WithLock(network, func() { network.Summary.GetNetworkSummary().Accessible = provided })
	for _, ref := range simulator.Map.Get(datacenter.HostFolder).(*simulator.Folder).ChildEntity {
		cluster, ok := simulator.Map.Get(ref).(*simulator.ClusterComputeResource)
		if !ok || !provided {
			continue
		}
		provide(network.Self, cluster, &cluster.Network)
		for _, ref := range cluster.Host {
			provide(network.Self, hostOf(ref), &hostOf(ref).Network)
		}
	}
	return answers{"network": network.Self.Value}, nil
}

// provide adds a network to a list that may share its memory with another's.
func provide(network types.ManagedObjectReference, of mo.Reference, networks *[]types.ManagedObjectReference) {
	simulator.Map.WithLock(of, func() { *networks = append(append([]types.ManagedObjectReference(nil), *networks...), network) })
}
