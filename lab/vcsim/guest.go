package main

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// probeTimeout is short because the first packet to a host that just boots is lost, and TCP would wait a second then.
const probeTimeout = 100 * time.Millisecond

// guest is the system on a VM's disk, as far as customization set it.
type guest struct {
	hostname, domain string
	address          string // "": none, as there is no DHCP server here
	prefixLength     int
	gateway, dns     string
	pending          bool // customization that the next boot carries out
	boot             int  // counts power-ons and power-offs: what belongs to an earlier one is void
}

var guests = struct {
	sync.Mutex
	byVM map[types.ManagedObjectReference]guest
}{byVM: map[types.ManagedObjectReference]guest{}}

func guestOf(vm types.ManagedObjectReference) guest {
	guests.Lock()
	defer guests.Unlock()
	return guests.byVM[vm]
}

func changeGuest(vm types.ManagedObjectReference, change func(*guest)) guest {
	guests.Lock()
	defer guests.Unlock()
	changed := guests.byVM[vm]
	change(&changed)
	guests.byVM[vm] = changed
	return changed
}

func forgetGuest(vm types.ManagedObjectReference) {
	guests.Lock()
	defer guests.Unlock()
	delete(guests.byVM, vm)
}

func (g guest) environment(vm *simulator.VirtualMachine) []string {
	environment := []string{
		"VM_NAME=" + vm.Name, "VM_HOSTNAME=" + g.hostname, "VM_DOMAIN=" + g.domain, "VM_ADDRESS=" + g.address,
		fmt.Sprintf("VM_PREFIX_LENGTH=%d", g.prefixLength), "VM_GATEWAY=" + g.gateway, "VM_DNS=" + g.dns,
	}
	if g.pending {
		environment = append(environment, "VM_CUSTOMIZE=1")
	}
	if len(vm.Guest.Net) > 0 {
		environment = append(environment, "VM_MAC="+vm.Guest.Net[0].MacAddress)
	}
	return environment
}

// checkCustomization refuses what vSphere refuses.
func checkCustomization(spec *types.CustomizationSpec, cards int) types.BaseMethodFault {
	if cards != len(spec.NicSettingMap) {
		return &types.NicSettingMismatch{NumberOfNicsInSpec: int32(len(spec.NicSettingMap)), NumberOfNicsInVM: int32(cards)}
	}
	for _, setting := range spec.NicSettingMap {
		fixed, ok := setting.Adapter.Ip.(*types.CustomizationFixedIp)
		if ok && (net.ParseIP(fixed.IpAddress).To4() == nil || net.ParseIP(setting.Adapter.SubnetMask).To4() == nil) {
			return &types.CustomizationFault{}
		}
	}
	return nil
}

// customize notes a customization for the next boot.
func customize(vm types.ManagedObjectReference, spec *types.CustomizationSpec) {
	changeGuest(vm, func(g *guest) {
		g.pending = true
		if identity, ok := spec.Identity.(*types.CustomizationLinuxPrep); ok {
			g.domain = identity.Domain
			switch name := identity.HostName.(type) {
			case *types.CustomizationFixedName:
				g.hostname = name.Name
			case *types.CustomizationVirtualMachineName:
				g.hostname = ""
			}
		}
		servers := spec.GlobalIPSettings.DnsServerList
		if len(spec.NicSettingMap) > 0 {
			adapter := spec.NicSettingMap[0].Adapter
			if fixed, ok := adapter.Ip.(*types.CustomizationFixedIp); ok {
				g.address = fixed.IpAddress
				g.prefixLength, _ = net.IPMask(net.ParseIP(adapter.SubnetMask).To4()).Size()
			}
			if len(adapter.Gateway) > 0 {
				g.gateway = adapter.Gateway[0]
			}
			servers = append(servers, adapter.DnsServerList...)
		}
		g.dns = strings.Join(servers, " ")
	})
}

// awaitTools reports the guest once its host answers on the SSH port, as long as that boot lasts.
func awaitTools(vm *simulator.VirtualMachine, g guest) {
	if g.address == "" {
		return
	}
	for *hookProgram != "" {
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(g.address, "22"), probeTimeout)
		if err == nil {
			_ = connection.Close()
			break
		}
		if guestOf(vm.Self).boot != g.boot {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(*toolsDelay)
	simulator.Map.WithLock(vm, func() {
		if guestOf(vm.Self).boot == g.boot {
			report(vm, g.address)
		}
	})
}

// report sets what VMware Tools say of the guest: its addresses, separated by commas, the first one as its own;
// "" is a guest whose Tools do not run. The VM is locked.
func report(vm *simulator.VirtualMachine, addresses string) {
	address, _, _ := strings.Cut(addresses, ",")
	g := guestOf(vm.Self)
	status, running, state := types.VirtualMachineToolsStatusToolsNotRunning,
		types.VirtualMachineToolsRunningStatusGuestToolsNotRunning, types.VirtualMachineGuestStateNotRunning
	cards := append([]types.GuestNicInfo(nil), vm.Guest.Net...)
	hostname := ""
	if address != "" {
		status, running, state = types.VirtualMachineToolsStatusToolsOk,
			types.VirtualMachineToolsRunningStatusGuestToolsRunning, types.VirtualMachineGuestStateRunning
		hostname = g.hostname
		if hostname == "" {
			hostname = strings.ToLower(vm.Name)
		}
	}
	if len(cards) > 0 {
		cards[0].IpAddress, cards[0].IpConfig = nil, nil
		if address != "" {
			cards[0].IpAddress = strings.Split(addresses, ",")
			cards[0].IpConfig = &types.NetIpConfigInfo{}
			for _, each := range cards[0].IpAddress {
				cards[0].IpConfig.IpAddress = append(cards[0].IpConfig.IpAddress, types.NetIpConfigInfoIpAddress{
					IpAddress: each, PrefixLength: int32(g.prefixLength), State: "preferred"})
			}
		}
	}
	simulator.Map.Update(vm, []types.PropertyChange{
		{Name: "guest.toolsStatus", Val: status}, {Name: "summary.guest.toolsStatus", Val: status},
		{Name: "guest.toolsRunningStatus", Val: string(running)}, {Name: "summary.guest.toolsRunningStatus", Val: string(running)},
		{Name: "guest.guestState", Val: string(state)},
		{Name: "guest.hostName", Val: hostname}, {Name: "summary.guest.hostName", Val: hostname},
		{Name: "guest.ipAddress", Val: address}, {Name: "summary.guest.ipAddress", Val: address},
		{Name: "guest.net", Val: cards},
	})
}
