package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	gibibyte      = int64(1) << 30
	templateName  = "debian12"
	esxiHosts     = 3 // of a cluster
	datastores    = 2
	portgroups    = 2
	datastore     = "LocalDS_0"
	serversFolder = "Servers"
	readyTimeout  = 120 * time.Second // for a host to answer: half a second, or more where all is busy
)

// templates are the names of those in each datacenter, and the sizes of their disks.
var templates = map[string]int64{templateName: 10 * gibibyte, templateName + "-big": 40 * gibibyte}

// createInventory makes a datacenter with a cluster of three ESXi hosts, two datastores, two distributed port groups
// beside "VM Network", a resource pool, a folder, and the templates.
func createInventory() (*simulator.Model, error) {
	equipESXiHosts()
	model := simulator.VPX()
	model.Host, model.Machine, model.Pool, model.Datastore, model.Portgroup = 0, 0, 1, datastores, portgroups
	if err := model.Create(); err != nil {
		return nil, err
	}
	simulator.Map.RemoveHandler(taskManager()) // see addRecentTask
	markUplinks()
	for _, entity := range simulator.Map.All("Datastore") {
		sizeDatastore(simulator.Map.Get(entity.Reference()).(*simulator.Datastore))
	}
	if _, err := subfolder(vmFolder().Self, serversFolder); err != nil {
		return nil, err
	}
	for name, size := range templates {
		if _, err := createTemplate(place{vmFolder().Self, rootPool()}, name, size); err != nil {
			return nil, err
		}
	}
	simulator.Map.Update(taskManager(), []types.PropertyChange{{Name: "recentTask", Val: []types.ManagedObjectReference{}}})
	return model, nil
}

// markUplinks tells the portgroup of each switch's uplinks from the others, as a vCenter does: it is named in the
// switch's configuration, says so in its own, and bears a tag.
func markUplinks() {
	for _, entity := range simulator.Map.All("DistributedVirtualSwitch") {
		vswitch := simulator.Map.Get(entity.Reference()).(*simulator.DistributedVirtualSwitch)
		if len(vswitch.Config.GetDVSConfigInfo().UplinkPortgroup) > 0 {
			continue
		}
		for _, ref := range vswitch.Portgroup {
			portgroup := simulator.Map.Get(ref).(*simulator.DistributedVirtualPortgroup)
			uplinks := strings.HasPrefix(portgroup.Name, vswitch.Name+"-DVUplinks-")
			portgroup.Config.Uplink = &uplinks
			if uplinks {
				portgroup.Tag = []types.Tag{{Key: "SYSTEM/DVS.UPLINKPG"}}
				config := vswitch.Config.GetDVSConfigInfo()
				config.UplinkPortgroup = append(config.UplinkPortgroup, ref)
			}
		}
	}
}

// equipESXiHosts makes the simulator's ESXi hosts servers of our days; the cluster sums them up.
func equipESXiHosts() {
	summary, info := esx.HostSystem.Summary.Hardware, esx.HostHardwareInfo
	summary.NumCpuPkgs, summary.NumCpuCores, summary.NumCpuThreads = 2, 16, 32
	summary.MemorySize = 64 * gibibyte
	info.CpuInfo.NumCpuPackages, info.CpuInfo.NumCpuCores, info.CpuInfo.NumCpuThreads = 2, 16, 32
	info.MemorySize = 64 * gibibyte
}

// place is where a VM is made.
type place struct {
	folder, pool types.ManagedObjectReference
}

// createTemplate makes a template with 1 CPU, 1024 MB, one disk, one card on "VM Network" and a key of its own.
func createTemplate(in place, name string, size int64) (types.ManagedObjectReference, error) {
	var devices object.VirtualDeviceList
	controller, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return in.folder, err
	}
	disk := devices.CreateDisk(controller.(types.BaseVirtualController), types.ManagedObjectReference{},
		fmt.Sprintf("[%s] %s/%s.vmdk", datastore, name, name))
	disk.CapacityInKB, disk.CapacityInBytes = size/1024, size
	renewDisk(disk)
	card := &types.VirtualVmxnet3{}
	nameDevice(controller.GetVirtualDevice(), 1000, "SCSI controller 0")
	nameDevice(disk.GetVirtualDevice(), 2000, "Hard disk 1")
	nameDevice(card.GetVirtualDevice(), 4000, "Network adapter 1")
	disk.ControllerKey = 1000
	card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"}}
	changes, err := append(devices, controller, disk, card).ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		return in.folder, err
	}
	ref, err := added(invoke(in.folder, &types.CreateVM_Task{This: in.folder, Pool: in.pool, Config: types.VirtualMachineConfigSpec{
		Name: name, GuestId: string(types.VirtualMachineGuestOsIdentifierDebian10_64Guest), NumCPUs: 1, MemoryMB: 1024,
		Annotation:   "Debian 12, a template of the lab",
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[" + datastore + "]"},
		ExtraConfig:  []types.BaseOptionValue{&types.OptionValue{Key: "lab.template", Value: name}},
		DeviceChange: changes,
	}}))
	if err != nil {
		return in.folder, fmt.Errorf("the template %s: %w", name, err)
	}
	simulator.Map.WithLock(vmOf(ref), func() { report(vmOf(ref), "") })
	if _, fault := invoke(ref, &types.MarkAsTemplate{This: ref}); fault != nil {
		return ref, fmt.Errorf("the template %s: %s", name, typeName(fault))
	}
	return ref, nil
}

// nameDevice gives a device the key and the label that vSphere's first of its kind has.
func nameDevice(device *types.VirtualDevice, key int32, label string) {
	device.Key = key
	device.DeviceInfo = &types.Description{Label: label}
}

// createMachines clones so many ready VMs from the template, at most four at a time, and powers them on.
func createMachines(count int) error {
	template := simulator.Map.FindByName(templateName, vmFolder().ChildEntity).(*simulator.VirtualMachine)
	start, mask := net.ParseIP(*first).To4(), net.IPMask(nil)
	if _, ipNet, err := net.ParseCIDR(*network); err == nil {
		mask = ipNet.Mask
	}
	if start == nil || mask == nil {
		return fmt.Errorf("%q in %q is not an address in a network", *first, *network)
	}
	turns, results := make(chan struct{}, 4), make(chan error, count)
	for i := 0; i < count; i++ {
		go func(i int) {
			turns <- struct{}{}
			defer func() { <-turns }()
			value := uint32(start[0])<<24 + uint32(start[1])<<16 + uint32(start[2])<<8 + uint32(start[3]) + uint32(i)
			address := net.IPv4(byte(value>>24), byte(value>>16), byte(value>>8), byte(value)).String()
			results <- createMachine(template, fmt.Sprintf("%s%02d", *prefix, i+1), address, net.IP(mask).String())
		}(i)
	}
	for i := 0; i < count; i++ {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func createMachine(template *simulator.VirtualMachine, name, address, mask string) error {
	pool := rootPool()
	request := &types.CloneVM_Task{This: template.Self, Folder: vmFolder().Self, Name: name, Spec: types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{Pool: &pool},
		PowerOn:  true,
		Customization: &types.CustomizationSpec{
			Identity: &types.CustomizationLinuxPrep{HostName: &types.CustomizationFixedName{Name: name}, Domain: "lab.example"},
			NicSettingMap: []types.CustomizationAdapterMapping{{Adapter: types.CustomizationIPSettings{
				Ip: &types.CustomizationFixedIp{IpAddress: address}, SubnetMask: mask, Gateway: []string{*gateway}}}},
		},
	}}
	made := cloneWork(template, request)
	if fault := made.check(); fault != nil {
		return fmt.Errorf("%s: %s", name, typeName(fault))
	}
	defer made.release()
	result, fault := made.do()
	if failed, ok := fault.(*types.SystemError); ok {
		return fmt.Errorf("%s: %s", name, failed.Reason)
	}
	if fault != nil {
		return fmt.Errorf("%s: %s", name, typeName(fault))
	}
	vm := vmOf(result.(types.ManagedObjectReference))
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		reported := ""
		simulator.Map.WithLock(vm, func() { reported = vm.Guest.IpAddress })
		if reported == address {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer at %s after %s", name, address, readyTimeout)
}

func vmFolder() *simulator.Folder {
	datacenter := simulator.Map.Any("Datacenter").(*simulator.Datacenter)
	return simulator.Map.Get(datacenter.VmFolder).(*simulator.Folder)
}

func rootPool() types.ManagedObjectReference {
	return *simulator.Map.Any("ClusterComputeResource").(*simulator.ClusterComputeResource).ResourcePool
}

// sizeDatastore gives a datastore its room: 2 TiB, of which 1.5 TiB are free.
func sizeDatastore(store *simulator.Datastore) {
	store.Summary.Capacity = 2048 * gibibyte
	setFreeSpace(store, 1536*gibibyte)
}

// setFreeSpace says how much room a datastore has; it does not follow the machine's own disk.
func setFreeSpace(store *simulator.Datastore, bytes int64) {
	store.Summary.FreeSpace = bytes
	store.Info.GetDatastoreInfo().FreeSpace = bytes
}

func networkName(entity mo.Entity) string {
	switch network := simulator.Map.Get(entity.Reference()).(type) {
	case *mo.Network:
		return network.Name
	case *simulator.DistributedVirtualPortgroup:
		return network.Name
	case *mo.OpaqueNetwork:
		return network.Name
	}
	return entity.Entity().Name
}

func firstLine(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Scan()
	line := strings.TrimSpace(scanner.Text())
	if line == "" {
		return "", fmt.Errorf("%s: the first line is empty", path)
	}
	return line, scanner.Err()
}
