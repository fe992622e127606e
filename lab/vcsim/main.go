// Command vcsim is a simulated vCenter, on Debian's golang-github-vmware-govmomi-dev (govmomi 0.24.2), whose virtual
// machines can be real: a hook program boots, stops, copies and wipes a host when its VM is.
//
// The files, by what they know: inventory (what there is at the start), datacenters, storage, vapps (what tests add to it), front (the way of a SOAP call), rest, injections
// (what goes wrong on purpose), control (the tests' door, /_sim/), tasks (how a task lives), operations (which
// method is carried out how), clone, reconfigure, snapshots, power, guest (what VMware Tools report), versions (of the API), hook, soap.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

var (
	listen      = flag.String("listen", "127.0.0.1:0", "address to serve on; port 0 picks one")
	certificate = flag.String("certificate", "", "PEM certificate, 2048 bits or more")
	key         = flag.String("key", "", "PEM key")
	username    = flag.String("username", "administrator@vsphere.local", "login name")
	password    = flag.String("password-file", "", "file whose first line is the login password")
	instance    = flag.Int("instance", 1, "number of this vCenter, told to the hook and kept in its VMs' MAC addresses")
	hookProgram = flag.String("hook", "", "program that carries out what happens to a VM; without it VMs are only inventory")
	machines    = flag.Int("vms", 0, "ready VMs, powered on: web01, web02 …")
	prefix      = flag.String("vm-prefix", "web", "what their names begin with")
	first       = flag.String("first-address", "10.77.0.101", "the address of the first of them; the others follow")
	network     = flag.String("network", "10.77.0.0/24", "the network their addresses are in")
	gateway     = flag.String("gateway", "10.77.0.254", "the gateway of that network")
	idle        = flag.Duration("session-idle", 0, "idle sessions expire after this long; 0: never")
	toolsDelay  = flag.Duration("tools-delay", 0, "time from the moment a host answers until VMware Tools report")
)

// ready is what the simulator prints, as one line of JSON, when it serves.
type ready struct {
	URL string `json:"url"`
	VMs int    `json:"vms"`
}

func main() {
	flag.Parse()
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "vcsim:", err)
		os.Exit(1)
	}
}

func serve() error {
	secret, err := firstLine(*password)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return err
	}
	simulator.SessionIdleTimeout = *idle
	model, err := createInventory()
	if err != nil {
		return err
	}
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*username, secret)}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	apiVersion = about().ApiVersion
	model.Service.RegisterEndpoints = true // the REST API
	server := model.Service.NewServer()
	front := &front{simulator: server.Config.Handler, secret: secret}
	server.Config.Handler = front
	if err := createMachines(*machines); err != nil {
		return err
	}
	address := server.URL.Scheme + "://" + server.URL.Host + server.URL.Path
	if err := json.NewEncoder(os.Stdout).Encode(ready{URL: address, VMs: *machines}); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	model.Remove()
	for _, folder := range addedFolders {
		_ = os.RemoveAll(folder) // what is left is in the folder for temporary files
	}
	return nil
}

// within waits for a moment that ought to come, and says whether it came in time.
func within(limit time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
