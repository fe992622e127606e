package main

import (
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// withMemory remembers the snapshots that were taken with the memory of a running VM: after a revert to one of
// these, and only these, the VM runs.
var withMemory = struct {
	sync.Mutex
	snapshots map[types.ManagedObjectReference]bool
}{snapshots: map[types.ManagedObjectReference]bool{}}

// escapeName is how vSphere keeps names of VMs and snapshots.
// Source: vSphere API, ManagedEntity.name: "%, / and \ are escaped as %25, %2f and %5c".
var escapeName = strings.NewReplacer("%", "%25", "/", "%2f", `\`, "%5c").Replace

func createSnapshot(vm *simulator.VirtualMachine, request *types.CreateSnapshot_Task) (types.AnyType, types.BaseMethodFault) {
	escaped := *request
	escaped.Name = escapeName(request.Name)
	memory := request.Memory && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
	result, fault := invoke(vm.Self, &escaped)
	if fault != nil {
		return nil, fault
	}
	ref := result.(types.ManagedObjectReference)
	simulator.Map.WithLock(vm, func() {
		item := findSnapshot(vm.Snapshot.RootSnapshotList, ref)
		if !memory {
			item.State = types.VirtualMachinePowerStatePoweredOff
		}
		snapshot := simulator.Map.Get(ref).(*simulator.VirtualMachineSnapshot)
		snapshot.Config = copyConfig(snapshot.Config)
		linkSnapshots(vm)
	})
	if memory {
		withMemory.Lock()
		withMemory.snapshots[ref] = true
		withMemory.Unlock()
	}
	if fault := callHook("snapshot", vm.Self, guestOf(vm.Self).environment(vm), ref.Value); fault != nil {
		_ = removeSnapshot(vm, &types.RemoveSnapshot_Task{This: ref}) // the hook's fault is the one to tell
		return nil, fault
	}
	return ref, nil
}

// revertToSnapshot gives the VM back its configuration and its disk. Without memory in the snapshot there is nothing
// to go on from: the VM is then powered off, whatever it was.
func revertToSnapshot(vm *simulator.VirtualMachine, ref types.ManagedObjectReference, stayOff bool) types.BaseMethodFault {
	snapshot, ok := simulator.Map.Get(ref).(*simulator.VirtualMachineSnapshot)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		if fault := powerOff(vm, &types.PowerOffVM_Task{This: vm.Self}); fault != nil {
			return fault
		}
	}
	if fault := callHook("revert", vm.Self, guestOf(vm.Self).environment(vm), ref.Value); fault != nil {
		return fault
	}
	if _, fault := invoke(ref, &types.RevertToSnapshot_Task{This: ref}); fault != nil {
		return fault
	}
	simulator.Map.WithLock(vm, func() {
		config := copyConfig(snapshot.Config)
		config.Name = vm.Name
		simulator.Map.Update(vm, []types.PropertyChange{
			{Name: "config", Val: config},
			{Name: "summary.config.numCpu", Val: config.Hardware.NumCPU},
			{Name: "summary.config.memorySizeMB", Val: config.Hardware.MemoryMB},
		})
	})
	withMemory.Lock()
	memory := withMemory.snapshots[ref]
	withMemory.Unlock()
	if memory && !stayOff {
		return powerOn(vm)
	}
	return nil
}

func revertToCurrentSnapshot(vm *simulator.VirtualMachine, request *types.RevertToCurrentSnapshot_Task) types.BaseMethodFault {
	if vm.Snapshot == nil || vm.Snapshot.CurrentSnapshot == nil {
		return &types.NotFound{}
	}
	return revertToSnapshot(vm, *vm.Snapshot.CurrentSnapshot, isTrue(request.SuppressPowerOn))
}

// removeSnapshot removes one and keeps its children, which become its parent's, or removes it with them.
func removeSnapshot(vm *simulator.VirtualMachine, request *types.RemoveSnapshot_Task) types.BaseMethodFault {
	removed := []types.ManagedObjectReference{request.This}
	var parent *types.ManagedObjectReference
	simulator.Map.WithLock(vm, func() {
		if vm.Snapshot == nil {
			return
		}
		parent = parentSnapshot(vm.Snapshot.RootSnapshotList, request.This)
		if item := findSnapshot(vm.Snapshot.RootSnapshotList, request.This); item != nil && request.RemoveChildren {
			removed = append(removed, snapshotsIn(item.ChildSnapshotList)...)
		}
	})
	defer keepDisks(vm)()
	if _, fault := invoke(request.This, request); fault != nil {
		return fault
	}
	simulator.Map.WithLock(vm, func() {
		if vm.Snapshot != nil && vm.Snapshot.CurrentSnapshot != nil && simulator.FindReference(removed, *vm.Snapshot.CurrentSnapshot) != nil {
			simulator.Map.Update(vm, []types.PropertyChange{{Name: "snapshot.currentSnapshot", Val: parent}})
		}
		linkSnapshots(vm)
	})
	return dropSnapshots(vm, removed)
}

func removeAllSnapshots(vm *simulator.VirtualMachine, request *types.RemoveAllSnapshots_Task) types.BaseMethodFault {
	var removed []types.ManagedObjectReference
	simulator.Map.WithLock(vm, func() {
		if vm.Snapshot != nil {
			removed = snapshotsIn(vm.Snapshot.RootSnapshotList)
		}
	})
	defer keepDisks(vm)()
	if _, fault := invoke(vm.Self, request); fault != nil {
		return fault
	}
	simulator.Map.WithLock(vm, func() { linkSnapshots(vm) })
	return dropSnapshots(vm, removed)
}

// keepDisks returns what puts the files of the VM's disks back: 0.24.2 takes one for that of a snapshot's state, as
// its files have other numbers by the time when the snapshot is removed.
func keepDisks(vm *simulator.VirtualMachine) func() {
	there := []string{}
	simulator.Map.WithLock(vm, func() {
		for _, place := range diskFiles(vm) {
			if _, err := os.Stat(place); err == nil {
				there = append(there, place)
			}
		}
	})
	return func() {
		for _, place := range there {
			file, err := os.OpenFile(place, os.O_CREATE, 0o600)
			if err != nil {
				log.Print("a disk is lost: ", err)
				continue
			}
			_ = file.Close() // it is empty
		}
	}
}

// dropSnapshots removes what is left of snapshots that are in the tree no more: the object and the copy of the disk.
func dropSnapshots(vm *simulator.VirtualMachine, removed []types.ManagedObjectReference) types.BaseMethodFault {
	for _, ref := range removed {
		forgetSnapshot(ref)
		if fault := callHook("remove_snapshot", vm.Self, nil, ref.Value); fault != nil {
			return fault
		}
	}
	return nil
}

func forgetSnapshot(ref types.ManagedObjectReference) {
	simulator.Map.Remove(ref)
	withMemory.Lock()
	delete(withMemory.snapshots, ref)
	withMemory.Unlock()
}

// linkSnapshots makes vm.rootSnapshot and each snapshot's childSnapshot say what the tree says. The VM is locked.
func linkSnapshots(vm *simulator.VirtualMachine) {
	roots := []types.ManagedObjectReference{}
	if vm.Snapshot != nil {
		roots = linkChildren(vm.Snapshot.RootSnapshotList)
	}
	simulator.Map.Update(vm, []types.PropertyChange{{Name: "rootSnapshot", Val: roots}})
}

func linkChildren(list []types.VirtualMachineSnapshotTree) []types.ManagedObjectReference {
	refs := []types.ManagedObjectReference{}
	for _, item := range list {
		refs = append(refs, item.Snapshot)
		children := linkChildren(item.ChildSnapshotList)
		if snapshot, ok := simulator.Map.Get(item.Snapshot).(*simulator.VirtualMachineSnapshot); ok {
			snapshot.ChildSnapshot = children
		}
	}
	return refs
}

func findSnapshot(list []types.VirtualMachineSnapshotTree, ref types.ManagedObjectReference) *types.VirtualMachineSnapshotTree {
	for i := range list {
		if list[i].Snapshot == ref {
			return &list[i]
		}
		if found := findSnapshot(list[i].ChildSnapshotList, ref); found != nil {
			return found
		}
	}
	return nil
}

func parentSnapshot(list []types.VirtualMachineSnapshotTree, ref types.ManagedObjectReference) *types.ManagedObjectReference {
	for i := range list {
		for _, child := range list[i].ChildSnapshotList {
			if child.Snapshot == ref {
				return &list[i].Snapshot
			}
		}
		if found := parentSnapshot(list[i].ChildSnapshotList, ref); found != nil {
			return found
		}
	}
	return nil
}

func snapshotsIn(list []types.VirtualMachineSnapshotTree) []types.ManagedObjectReference {
	var refs []types.ManagedObjectReference
	for _, item := range list {
		refs = append(append(refs, item.Snapshot), snapshotsIn(item.ChildSnapshotList)...)
	}
	return refs
}

// copyConfig keeps lists that the simulator changes in place apart.
func copyConfig(config types.VirtualMachineConfigInfo) types.VirtualMachineConfigInfo {
	config.Hardware.Device = append([]types.BaseVirtualDevice(nil), config.Hardware.Device...)
	config.ExtraConfig = append([]types.BaseOptionValue(nil), config.ExtraConfig...)
	return config
}

// backdate makes the snapshots whose name begins with prefix older, and returns how many.
func backdate(list []types.VirtualMachineSnapshotTree, prefix string, by time.Duration) int {
	changed := 0
	for i := range list {
		if strings.HasPrefix(list[i].Name, prefix) {
			list[i].CreateTime = list[i].CreateTime.Add(-by)
			changed++
		}
		changed += backdate(list[i].ChildSnapshotList, prefix, by)
	}
	return changed
}
