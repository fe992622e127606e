package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// hookTimeout is far above what booting or copying a host takes: it ends what hangs.
const hookTimeout = 60 * time.Second

// callHook runs `HOOK EVENT HOST [ARGUMENT]`, where HOST is the vCenter's number and the VM's id; the VM's name and
// what its guest is to be are in the environment. A hook that fails is a fault, with what it wrote as the reason.
func callHook(event string, vm types.ManagedObjectReference, environment []string, arguments ...string) types.BaseMethodFault {
	if *hookProgram == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), hookTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, *hookProgram, append([]string{event, hostID(vm)}, arguments...)...)
	command.Env = append(os.Environ(), environment...)
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		return &types.SystemError{Reason: fmt.Sprintf("%s %s: %s: %s", *hookProgram, event, err, strings.TrimSpace(said.String()))}
	}
	return nil
}

func hostID(vm types.ManagedObjectReference) string {
	return fmt.Sprintf("%d-%s", *instance, vm.Value)
}
