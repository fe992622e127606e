package main

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// operation answers a call that the simulator is not left alone with.
type operation func(http.ResponseWriter, *simulator.Method, plan)

// descriptions are TaskInfo.descriptionId, as vCenter's TaskManager.description lists them, where the id does not
// follow from the method's name.
var descriptions = map[string]string{
	"ReconfigVM_Task":       "VirtualMachine.reconfigure",
	"CreateSnapshot_Task":   "VirtualMachine.createSnapshot",
	"RemoveSnapshot_Task":   "vm.Snapshot.remove",
	"RevertToSnapshot_Task": "vm.Snapshot.revert",
}

// findOperation returns nil for what the simulator does well enough by itself.
func findOperation(method *simulator.Method) operation {
	switch {
	case method.Name == "CancelTask":
		return answerCancelTask
	case method.Name == "ShutdownGuest":
		return answerShutdownGuest
	case method.Name == "CurrentTime":
		return answerCurrentTime
	case method.Name == "HasPrivilegeOnEntities":
		return answerHasPrivilege
	case method.Name == "RecommendDatastores":
		return answerRecommendDatastores
	case strings.HasSuffix(method.Name, "_Task") && simulator.Map.Get(method.This) != nil:
		return answerTask
	}
	return nil
}

func answerCancelTask(w http.ResponseWriter, method *simulator.Method, _ plan) {
	if fault := cancelTask(method.This); fault != nil {
		answerFault(w, fault)
		return
	}
	answer(w, method.Name, "")
}

func answerShutdownGuest(w http.ResponseWriter, method *simulator.Method, _ plan) {
	vm := vmOf(method.This)
	if vm == nil {
		answerFault(w, &types.ManagedObjectNotFound{Obj: method.This})
		return
	}
	if fault := shutdownGuest(vm); fault != nil {
		answerFault(w, fault)
		return
	}
	answer(w, method.Name, "")
}

// answerTask starts the task of a method and answers with its reference.
func answerTask(w http.ResponseWriter, method *simulator.Method, p plan) {
	entity, _ := simulator.Map.Get(method.This).(mo.Entity)
	if vm := vmOf(method.This); vm != nil { // a snapshot's tasks are its VM's, too: a snapshot is no entity
		entity = vm
	}
	description := descriptions[method.Name]
	if description == "" {
		short := strings.TrimSuffix(strings.TrimSuffix(method.Name, "_Task"), "VM")
		description = method.This.Type + "." + strings.ToLower(short[:1]) + short[1:]
	}
	task := startTask(method.Name, description, entity, p, workOf(method))
	answer(w, method.Name, `<returnval type="Task">`+task.Self.Value+`</returnval>`)
}

// workOf says how a method is carried out: by the simulator, or by what completes it here.
func workOf(method *simulator.Method) work {
	vm := vmOf(method.This)
	if request, ok := method.Body.(*types.CloneVM_Task); ok && vm != nil {
		return cloneWork(vm, request)
	}
	return work{do: func() (types.AnyType, types.BaseMethodFault) {
		if vm == nil {
			return invoke(method.This, method.Body)
		}
		defer oneAtATime(vm.Self)()
		switch request := method.Body.(type) {
		case *types.PowerOnVM_Task:
			return nil, powerOn(vm)
		case *types.PowerOffVM_Task:
			return nil, powerOff(vm, request)
		case *types.SuspendVM_Task:
			return nil, powerOff(vm, request)
		case *types.ResetVM_Task:
			return nil, resetVM(vm)
		case *types.Destroy_Task:
			return nil, destroy(vm)
		case *types.ReconfigVM_Task:
			return nil, reconfigure(vm, request.Spec)
		case *types.CustomizeVM_Task:
			return nil, customizeVM(vm, request)
		case *types.CreateSnapshot_Task:
			return createSnapshot(vm, request)
		case *types.RevertToSnapshot_Task:
			return nil, revertToSnapshot(vm, request.This, isTrue(request.SuppressPowerOn))
		case *types.RevertToCurrentSnapshot_Task:
			return nil, revertToCurrentSnapshot(vm, request)
		case *types.RemoveSnapshot_Task:
			return nil, removeSnapshot(vm, request)
		case *types.RemoveAllSnapshots_Task:
			return nil, removeAllSnapshots(vm, request)
		default:
			return invoke(method.This, method.Body)
		}
	}}
}

// inventory is held while a VM is made: 0.24.2 shows it in its folder before it has a name, and panics on that.
// It is taken before the lock of any object. WaitForUpdatesEx goes without: it would hold it for minutes.
var inventory sync.RWMutex

// invoke carries out a method of the simulator itself, with its object locked, and waits for its task.
func invoke(this types.ManagedObjectReference, request types.AnyType) (result types.AnyType, fault types.BaseMethodFault) {
	if _, creates := request.(*types.CreateVM_Task); creates {
		inventory.Lock()
		defer inventory.Unlock()
	}
	simulator.Map.WithLock(this, func() { result, fault = invokeLocked(this, request) })
	return result, fault
}

// invokeLocked is invoke for an object that the caller has locked. The simulator's own task leaves no trace.
func invokeLocked(this types.ManagedObjectReference, request types.AnyType) (types.AnyType, types.BaseMethodFault) {
	object := simulator.Map.Get(this)
	if object == nil {
		return nil, &types.ManagedObjectNotFound{Obj: this}
	}
	name := strings.Replace(typeName(request), "_Task", "Task", 1)
	method := reflect.ValueOf(object).MethodByName(name)
	if !method.IsValid() {
		return nil, &types.MethodNotFound{Receiver: this, Method: typeName(request)}
	}
	arguments := []reflect.Value{reflect.ValueOf(request)}
	if method.Type().NumIn() == 2 {
		arguments = append([]reflect.Value{reflect.ValueOf(ownContext(this))}, arguments...)
	}
	response := method.Call(arguments)[0].Interface().(soap.HasFault)
	if refused := response.Fault(); refused != nil {
		return nil, refused.VimFault().(types.BaseMethodFault)
	}
	returned := reflect.ValueOf(response).Elem().FieldByName("Res").Elem().FieldByName("Returnval")
	if !returned.IsValid() {
		return nil, nil
	}
	task, ok := simulator.Map.Get(returned.Interface().(types.ManagedObjectReference)).(*simulator.Task)
	if !ok {
		return returned.Interface(), nil
	}
	simulator.Map.Remove(task.Self)
	if task.Info.Error != nil {
		return nil, task.Info.Error.Fault
	}
	return task.Info.Result, nil
}

// ownContext is a call from inside; caller is the object that is locked already.
func ownContext(caller types.ManagedObjectReference) *simulator.Context {
	return &simulator.Context{
		Context: context.Background(), Map: simulator.Map, Caller: &caller,
		Session: &simulator.Session{UserSession: types.UserSession{Key: "lab", UserName: *username}, Registry: simulator.NewRegistry()},
	}
}

// vmOf is the VM that a reference is of: a VM's own or that of its snapshot.
func vmOf(ref types.ManagedObjectReference) *simulator.VirtualMachine {
	switch object := simulator.Map.Get(ref).(type) {
	case *simulator.VirtualMachine:
		return object
	case *simulator.VirtualMachineSnapshot:
		return vmOf(object.Vm)
	}
	return nil
}

func isTrue(value *bool) bool {
	return value != nil && *value
}
