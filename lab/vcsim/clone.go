package main

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// reserved are the names of VMs that are being cloned, by folder: of two clones with one name, one begins.
var reserved = struct {
	sync.Mutex
	names map[string]bool
}{names: map[string]bool{}}

var cards int32 // network cards made so far

// cloneWork is CloneVM_Task. 0.24.2 leaves out most of its specification, lends the template's devices to the clone
// and gives a VM of the same name the same identifiers again; all of that is done here.
func cloneWork(source *simulator.VirtualMachine, request *types.CloneVM_Task) work {
	name := escapeName(request.Name)
	reservation := request.Folder.Value + "/" + name
	return work{
		check: func() types.BaseMethodFault {
			if fault := checkClone(source, request); fault != nil {
				return fault
			}
			reserved.Lock()
			defer reserved.Unlock()
			if reserved.names[reservation] {
				return &types.DuplicateName{Name: name, Object: request.Folder}
			}
			reserved.names[reservation] = true
			return nil
		},
		release: func() {
			reserved.Lock()
			defer reserved.Unlock()
			delete(reserved.names, reservation)
		},
		do: func() (types.AnyType, types.BaseMethodFault) { return clone(source, request, name) },
	}
}

// checkClone finds what is wrong with a request before any time passes.
func checkClone(source *simulator.VirtualMachine, request *types.CloneVM_Task) (fault types.BaseMethodFault) {
	inventory.RLock()
	defer inventory.RUnlock()
	folder, ok := simulator.Map.Get(request.Folder).(*simulator.Folder)
	if !ok {
		return &types.InvalidArgument{InvalidProperty: "folder"}
	}
	if old := simulator.Map.FindByName(escapeName(request.Name), folder.ChildEntity); old != nil {
		return &types.DuplicateName{Name: request.Name, Object: old.Reference()}
	}
	simulator.Map.WithLock(source, func() {
		if fault = missingFile(source); fault != nil {
			return
		}
		if custom := request.Spec.Customization; custom != nil {
			if fault = checkCustomization(custom, len(source.Guest.Net)); fault != nil {
				return
			}
		}
		for i, change := range deviceChanges(request) {
			device := change.GetVirtualDeviceConfigSpec()
			if device.Operation == types.VirtualDeviceConfigSpecOperationEdit {
				if _, fault = planEdit(source, device, int32(i)); fault != nil {
					return
				}
			}
		}
	})
	return fault
}

func deviceChanges(request *types.CloneVM_Task) []types.BaseVirtualDeviceConfigSpec {
	changes := append([]types.BaseVirtualDeviceConfigSpec(nil), request.Spec.Location.DeviceChange...)
	if request.Spec.Config != nil {
		changes = append(changes, request.Spec.Config.DeviceChange...)
	}
	return changes
}

func clone(source *simulator.VirtualMachine, request *types.CloneVM_Task, name string) (types.AnyType, types.BaseMethodFault) {
	defer oneAtATime(source.Self)()
	vm, fault := cloneBare(source, request, name)
	if fault != nil {
		return nil, fault
	}
	if fault := completeClone(source, vm, request); fault != nil {
		if destroyed := destroy(vm); destroyed != nil {
			return nil, &types.SystemError{Reason: fmt.Sprintf("%s, then %s", typeName(fault), typeName(destroyed))}
		}
		return nil, fault
	}
	return vm.Self, nil
}

// cloneBare lets the simulator make a VM like the source, from devices of its own and with a fresh identity.
func cloneBare(source *simulator.VirtualMachine, request *types.CloneVM_Task, name string) (vm *simulator.VirtualMachine, fault types.BaseMethodFault) {
	identity := uuid.New().String()
	if config := request.Spec.Config; config != nil && config.InstanceUuid != "" {
		identity = config.InstanceUuid
	}
	bare := &types.CloneVM_Task{This: source.Self, Folder: request.Folder, Name: name, Spec: types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{
			Pool: request.Spec.Location.Pool, Datastore: request.Spec.Location.Datastore, Host: request.Spec.Location.Host},
		Config: &types.VirtualMachineConfigSpec{InstanceUuid: identity},
	}}
	var extra []types.BaseOptionValue
	inventory.Lock()
	defer inventory.Unlock()
	simulator.Map.WithLock(source, func() {
		extra = append(extra, source.Config.ExtraConfig...)
		originals := source.Config.Hardware.Device
		copied, err := copyDevices(originals)
		if err != nil {
			fault = &types.SystemError{Reason: err.Error()}
			return
		}
		renewDevices(copied)
		source.Config.Hardware.Device = copied
		defer func() { source.Config.Hardware.Device = originals }()
		var result types.AnyType
		if result, fault = invokeLocked(source.Self, bare); fault == nil {
			vm = vmOf(result.(types.ManagedObjectReference))
		}
	})
	if fault != nil {
		return nil, fault
	}
	biosUUID, born := uuid.New().String(), now()
	simulator.Map.WithLock(vm, func() {
		simulator.Map.Update(vm, []types.PropertyChange{
			{Name: "config.uuid", Val: biosUUID}, {Name: "summary.config.uuid", Val: biosUUID},
			{Name: "config.extraConfig", Val: extra},
		})
		vm.Config.CreateDate = &born
	})
	return vm, nil
}

// completeClone gives the clone the source's disk and what the request asks for.
func completeClone(source, vm *simulator.VirtualMachine, request *types.CloneVM_Task) types.BaseMethodFault {
	spec := types.VirtualMachineConfigSpec{}
	if request.Spec.Config != nil {
		spec = *request.Spec.Config
	}
	spec.Name, spec.InstanceUuid, spec.Uuid, spec.Files = "", "", "", nil
	spec.DeviceChange = deviceChanges(request)
	if fault := reconfigure(vm, spec); fault != nil {
		return fault
	}
	inherited := guestOf(source.Self)
	inherited.boot = 0
	changeGuest(vm.Self, func(g *guest) { *g = inherited })
	if request.Spec.Customization != nil {
		customize(vm.Self, request.Spec.Customization)
	}
	if fault := callHook("clone", vm.Self, guestOf(vm.Self).environment(vm), hostID(source.Self)); fault != nil {
		return fault
	}
	if request.Spec.Template {
		_, fault := invoke(vm.Self, &types.MarkAsTemplate{This: vm.Self})
		return fault
	}
	if request.Spec.PowerOn {
		return powerOn(vm)
	}
	return nil
}

// renewDevices gives network cards addresses of their own, from VMware's range for assigned ones, and disks UUIDs.
func renewDevices(devices []types.BaseVirtualDevice) {
	for _, device := range devices {
		renewDisk(device)
		if card, ok := device.(types.BaseVirtualEthernetCard); ok {
			number := atomic.AddInt32(&cards, 1)
			ethernet := card.GetVirtualEthernetCard()
			ethernet.AddressType = string(types.VirtualEthernetCardMacTypeAssigned)
			ethernet.MacAddress = fmt.Sprintf("00:50:56:%02x:%02x:%02x", 0x80+*instance%0x40, number/256%256, number%256)
		}
	}
}

// renewDisk gives a disk a UUID of its own, which it keeps wherever its file goes.
func renewDisk(device types.BaseVirtualDevice) {
	if backing, ok := device.GetVirtualDevice().Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
		backing.Uuid = uuid.New().String()
	}
}
