package main

import (
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

var busy = struct {
	sync.Mutex
	byVM map[types.ManagedObjectReference]*sync.Mutex
}{byVM: map[types.ManagedObjectReference]*sync.Mutex{}}

// oneAtATime lets the operations on one VM follow each other, with what they do to its host; it returns the release.
// The VM's own lock is free meanwhile, so that it can be read.
func oneAtATime(vm types.ManagedObjectReference) func() {
	busy.Lock()
	if busy.byVM[vm] == nil {
		busy.byVM[vm] = &sync.Mutex{}
	}
	mutex := busy.byVM[vm]
	busy.Unlock()
	mutex.Lock()
	return mutex.Unlock
}

// powerOn boots the VM's host; VMware Tools report it when it answers.
func powerOn(vm *simulator.VirtualMachine) (fault types.BaseMethodFault) {
	if simulator.Map.WithLock(vm, func() { fault = missingFile(vm) }); fault != nil {
		return fault
	}
	if _, fault := invoke(vm.Self, &types.PowerOnVM_Task{This: vm.Self}); fault != nil {
		return fault
	}
	g := changeGuest(vm.Self, func(g *guest) { g.boot++ })
	if fault := callHook("power_on", vm.Self, g.environment(vm)); fault != nil {
		_, _ = invoke(vm.Self, &types.PowerOffVM_Task{This: vm.Self}) // the hook's fault is the one to tell
		return fault
	}
	changeGuest(vm.Self, func(g *guest) { g.pending = false })
	go awaitTools(vm, g)
	return nil
}

// powerOff stops the VM's host at once, as pulling the plug does; request is a PowerOffVM_Task or SuspendVM_Task.
func powerOff(vm *simulator.VirtualMachine, request types.AnyType) types.BaseMethodFault {
	if _, fault := invoke(vm.Self, request); fault != nil {
		return fault
	}
	return stopHost(vm)
}

func stopHost(vm *simulator.VirtualMachine) types.BaseMethodFault {
	g := changeGuest(vm.Self, func(g *guest) { g.boot++ })
	simulator.Map.WithLock(vm, func() { report(vm, "") })
	return callHook("power_off", vm.Self, g.environment(vm))
}

func resetVM(vm *simulator.VirtualMachine) types.BaseMethodFault {
	if fault := powerOff(vm, &types.PowerOffVM_Task{This: vm.Self}); fault != nil {
		return fault
	}
	return powerOn(vm)
}

// shutdownGuest needs VMware Tools, as they are what carries it out.
func shutdownGuest(vm *simulator.VirtualMachine) types.BaseMethodFault {
	defer oneAtATime(vm.Self)()
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn &&
		vm.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		return &types.ToolsUnavailable{}
	}
	if _, fault := invoke(vm.Self, &types.ShutdownGuest{This: vm.Self}); fault != nil {
		return fault
	}
	return stopHost(vm)
}

// destroy removes the VM, its disk and its snapshots' copies of it.
func destroy(vm *simulator.VirtualMachine) types.BaseMethodFault {
	g := guestOf(vm.Self)
	var snapshots []types.ManagedObjectReference
	simulator.Map.WithLock(vm, func() {
		if vm.Snapshot != nil {
			snapshots = snapshotsIn(vm.Snapshot.RootSnapshotList)
		}
	})
	leaveVApp(vm)
	if _, fault := invoke(vm.Self, &types.Destroy_Task{This: vm.Self}); fault != nil {
		return fault
	}
	for _, snapshot := range snapshots {
		forgetSnapshot(snapshot)
	}
	forgetGuest(vm.Self)
	return callHook("destroy", vm.Self, g.environment(vm))
}

// customizeVM notes the customization for the next boot.
func customizeVM(vm *simulator.VirtualMachine, request *types.CustomizeVM_Task) types.BaseMethodFault {
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		return &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: vm.Runtime.PowerState}
	}
	if fault := checkCustomization(&request.Spec, len(vm.Guest.Net)); fault != nil {
		return fault
	}
	customize(vm.Self, &request.Spec)
	return nil
}
