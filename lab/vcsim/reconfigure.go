package main

import (
	"fmt"
	"os"
	"path"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// reconfigure is ReconfigVM_Task; its changes of extraConfig and of existing disks and network cards are made here,
// the rest by the simulator.
func reconfigure(vm *simulator.VirtualMachine, spec types.VirtualMachineConfigSpec) (fault types.BaseMethodFault) {
	simulator.Map.WithLock(vm, func() { fault = reconfigureLocked(vm, spec) })
	return fault
}

func reconfigureLocked(vm *simulator.VirtualMachine, spec types.VirtualMachineConfigSpec) types.BaseMethodFault {
	rest := spec
	rest.DeviceChange, rest.ExtraConfig = nil, nil
	var edits []edit
	for i, change := range spec.DeviceChange {
		device := change.GetVirtualDeviceConfigSpec()
		if device.Operation != types.VirtualDeviceConfigSpecOperationEdit {
			rest.DeviceChange = append(rest.DeviceChange, change)
			continue
		}
		planned, fault := planEdit(vm, device, int32(i))
		if fault != nil {
			return fault
		}
		edits = append(edits, planned)
	}
	if _, fault := invokeLocked(vm.Self, &types.ReconfigVM_Task{This: vm.Self, Spec: rest}); fault != nil {
		return fault
	}
	for _, planned := range edits {
		planned.apply(vm)
	}
	if len(spec.ExtraConfig) > 0 {
		simulator.Map.Update(vm, []types.PropertyChange{
			{Name: "config.extraConfig", Val: mergeExtraConfig(vm.Config.ExtraConfig, spec.ExtraConfig)}})
	}
	return nil
}

// mergeExtraConfig lays changes over keys and values; a key with an empty value goes away.
// Source: vSphere API, VirtualMachineConfigSpec.extraConfig.
func mergeExtraConfig(existing, changes []types.BaseOptionValue) []types.BaseOptionValue {
	merged := append([]types.BaseOptionValue{}, existing...)
	for _, change := range changes {
		option := change.GetOptionValue()
		kept := merged[:0:0]
		for _, other := range merged {
			if other.GetOptionValue().Key != option.Key {
				kept = append(kept, other)
			}
		}
		merged = kept
		if option.Value != nil && option.Value != "" {
			merged = append(merged, &types.OptionValue{Key: option.Key, Value: option.Value})
		}
	}
	return merged
}

// edit is a device that takes the place of the one with its key.
type edit struct {
	device  types.BaseVirtualDevice
	grows   int64 // bytes that its datastore has less
	network string
}

func planEdit(vm *simulator.VirtualMachine, change *types.VirtualDeviceConfigSpec, index int32) (edit, types.BaseMethodFault) {
	invalid := types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange"}, DeviceIndex: index}
	var existing types.BaseVirtualDevice
	for _, device := range vm.Config.Hardware.Device {
		if device.GetVirtualDevice().Key == change.Device.GetVirtualDevice().Key {
			existing = device
		}
	}
	switch wanted := change.Device.(type) {
	case *types.VirtualDisk:
		if disk, ok := existing.(*types.VirtualDisk); ok {
			return planDiskEdit(vm, disk, wanted, invalid)
		}
	case types.BaseVirtualEthernetCard:
		if _, ok := existing.(types.BaseVirtualEthernetCard); ok {
			return planCardEdit(vm, existing, wanted, invalid)
		}
	}
	return edit{}, &invalid
}

// planDiskEdit grows a disk, or puts another file in its place: it can't shrink, and its datastore must have the room.
func planDiskEdit(vm *simulator.VirtualMachine, disk, wanted *types.VirtualDisk, invalid types.InvalidDeviceSpec) (edit, types.BaseMethodFault) {
	kilobytes := wanted.CapacityInKB
	if wanted.CapacityInBytes > kilobytes*1024 && wanted.CapacityInBytes != disk.CapacityInBytes {
		kilobytes = wanted.CapacityInBytes / 1024
	}
	if kilobytes < disk.CapacityInKB {
		return edit{}, &types.InvalidDeviceOperation{InvalidDeviceSpec: invalid, BadOp: types.VirtualDeviceConfigSpecOperationEdit}
	}
	grown := *disk
	grown.CapacityInKB, grown.CapacityInBytes = kilobytes, kilobytes*1024
	grown.DeviceInfo = &types.Description{
		Label: disk.DeviceInfo.GetDescription().Label, Summary: fmt.Sprintf("%d KB", kilobytes)}
	if fileOf(wanted) != "" && fileOf(wanted) != fileOf(disk) {
		grown.Backing = wanted.Backing // literally: from now on the VM is on that file, whoever else is
	}
	growth := grown.CapacityInBytes - disk.CapacityInBytes
	if store := datastoreOf(&grown); store != nil && store.Summary.FreeSpace < growth {
		return edit{}, &types.NoDiskSpace{FileFault: types.FileFault{File: vm.Config.Files.VmPathName}, Datastore: store.Name}
	}
	return edit{device: &grown, grows: growth}, nil
}

// planCardEdit connects a network card to another network, distributed port group or opaque network of the VM's datacenter.
func planCardEdit(vm *simulator.VirtualMachine, existing types.BaseVirtualDevice, wanted types.BaseVirtualEthernetCard, invalid types.InvalidDeviceSpec) (edit, types.BaseMethodFault) {
	copied, err := copyDevices([]types.BaseVirtualDevice{existing})
	if err != nil {
		return edit{}, &types.SystemError{Reason: err.Error()}
	}
	network := networkOf(wanted.GetVirtualEthernetCard().Backing)
	if network == nil {
		return edit{}, &invalid
	}
	if mac := wanted.GetVirtualEthernetCard().MacAddress; mac != "" {
		copied[0].(types.BaseVirtualEthernetCard).GetVirtualEthernetCard().MacAddress = mac
	}
	device := copied[0].GetVirtualDevice()
	device.Backing = wanted.GetVirtualEthernetCard().Backing
	device.DeviceInfo = &types.Description{Label: existing.GetVirtualDevice().DeviceInfo.GetDescription().Label, Summary: network.name}
	if backing, ok := device.Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
		backing.DeviceName, backing.Network = network.name, &network.ref
	}
	return edit{device: copied[0], network: network.name}, nil
}

// apply puts the device in place and the rest of the VM in line with it. The VM is locked.
func (e edit) apply(vm *simulator.VirtualMachine) {
	devices := append([]types.BaseVirtualDevice(nil), vm.Config.Hardware.Device...)
	key := e.device.GetVirtualDevice().Key
	for i := range devices {
		if devices[i].GetVirtualDevice().Key == key {
			devices[i] = e.device
		}
	}
	changes := []types.PropertyChange{{Name: "config.hardware.device", Val: devices}}
	if e.network != "" {
		networks := []types.ManagedObjectReference{}
		for _, device := range devices {
			if card, ok := device.(types.BaseVirtualEthernetCard); ok {
				if network := networkOf(card.GetVirtualEthernetCard().Backing); network != nil {
					networks = append(networks, network.ref)
				}
			}
		}
		cards := append([]types.GuestNicInfo(nil), vm.Guest.Net...)
		for i := range cards {
			if cards[i].DeviceConfigId == key {
				cards[i].Network = e.network
				cards[i].MacAddress = e.device.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard().MacAddress
			}
		}
		changes = append(changes, types.PropertyChange{Name: "network", Val: networks}, types.PropertyChange{Name: "guest.net", Val: cards})
	}
	simulator.Map.Update(vm, changes)
	if store := datastoreOf(e.device); store != nil {
		simulator.Map.WithLock(store, func() { setFreeSpace(store, store.Summary.FreeSpace-e.grows) })
	}
}

func datastoreOf(device types.BaseVirtualDevice) *simulator.Datastore {
	file, ok := device.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok || file.GetVirtualDeviceFileBackingInfo().Datastore == nil {
		return nil
	}
	store, _ := simulator.Map.Get(*file.GetVirtualDeviceFileBackingInfo().Datastore).(*simulator.Datastore)
	return store
}

// fileOf is the file that a disk is on: "[datastore] folder/name.vmdk".
func fileOf(disk *types.VirtualDisk) string {
	if backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		return backing.GetVirtualDeviceFileBackingInfo().FileName
	}
	return ""
}

// missingFile is the fault of a VM that has a disk without its file: such a VM can be neither cloned nor powered on.
// The VM is locked.
func missingFile(vm *simulator.VirtualMachine) types.BaseMethodFault {
	for file, place := range diskFiles(vm) {
		if _, err := os.Stat(place); os.IsNotExist(err) {
			return &types.FileNotFound{FileFault: types.FileFault{File: file}}
		}
	}
	return nil
}

// diskFiles are the files of a VM's disks, and where they are on this machine.
func diskFiles(vm *simulator.VirtualMachine) map[string]string {
	places := map[string]string{}
	for _, device := range vm.Config.Hardware.Device {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		store, file := datastoreOf(disk), object.DatastorePath{}
		if store != nil && file.FromString(fileOf(disk)) {
			places[fileOf(disk)] = path.Join(store.Info.GetDatastoreInfo().Url, file.Path)
		}
	}
	return places
}

type namedNetwork struct {
	ref  types.ManagedObjectReference
	name string
}

// networkOf finds the network that a card's backing names; nil: there is none.
func networkOf(backing types.BaseVirtualDeviceBackingInfo) *namedNetwork {
	var wanted types.ManagedObjectReference
	name := ""
	switch backing := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		name = backing.DeviceName
		if backing.Network != nil {
			wanted = *backing.Network
		}
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		wanted = types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: backing.Port.PortgroupKey}
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		return opaqueNetwork(backing.OpaqueNetworkId)
	}
	for _, kind := range []string{"Network", "DistributedVirtualPortgroup"} {
		for _, entity := range simulator.Map.All(kind) {
			found := namedNetwork{ref: entity.Reference(), name: networkName(entity)}
			if found.ref == wanted || (wanted.Value == "" && kind == "Network" && found.name == name) {
				return &found
			}
		}
	}
	return nil
}

func opaqueNetwork(id string) *namedNetwork {
	for _, entity := range simulator.Map.All("OpaqueNetwork") {
		network := entity.(*mo.OpaqueNetwork)
		if summary, ok := network.Summary.(*types.OpaqueNetworkSummary); ok && summary.OpaqueNetworkId == id {
			return &namedNetwork{ref: network.Self, name: network.Name}
		}
	}
	return nil
}
