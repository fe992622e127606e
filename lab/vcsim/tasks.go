package main

import (
	"fmt"
	"log"
	"runtime/debug"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// promptly is how long a call waits for a task without a delay: what is quick is over when the client looks.
const promptly = 250 * time.Millisecond

// recentTasks is how many tasks TaskManager.recentTask lists, as vCenter does.
const recentTasks = 200

// work is what a task is about.
type work struct {
	check   func() types.BaseMethodFault // before the task's delay; what it reserves, release gives back
	do      func() (types.AnyType, types.BaseMethodFault)
	release func()
}

// runningTask is a task that has not ended. Until it gets to its work it can be canceled.
type runningTask struct {
	*simulator.Task
	canceled chan struct{}
	done     chan struct{}

	mutex      sync.Mutex
	cancelable bool
}

var running = struct {
	sync.Mutex
	byRef map[types.ManagedObjectReference]*runningTask
}{byRef: map[types.ManagedObjectReference]*runningTask{}}

// startTask makes a task and begins to carry it out; entity is nil for what is done to no entity.
func startTask(method, description string, entity mo.Entity, p plan, w work) *runningTask {
	subject := mo.Reference(vim25.ServiceInstance)
	if entity != nil {
		subject = entity.Reference()
	}
	t := &runningTask{
		Task:     simulator.CreateTask(subject, method, nil),
		canceled: make(chan struct{}), done: make(chan struct{}), cancelable: true,
	}
	now := time.Now()
	simulator.Map.WithLock(t.Task, func() {
		t.Info.Name, t.Info.DescriptionId = method, description
		t.Info.Entity, t.Info.EntityName = nil, ""
		if entity != nil {
			reference := entity.Reference()
			t.Info.Entity, t.Info.EntityName = &reference, entity.Entity().Name
		}
		t.Info.Reason = &types.TaskReasonUser{UserName: *username}
		t.Info.Cancelable, t.Info.StartTime, t.Info.State = true, &now, types.TaskInfoStateRunning
	})
	running.Lock()
	running.byRef[t.Self] = t
	running.Unlock()
	addRecentTask(t.Self)
	go t.run(p, w)
	if p.taskDelay == 0 && !p.endless {
		within(promptly, t.done)
	}
	return t
}

func (t *runningTask) run(p plan, w work) {
	result, fault := t.carryOut(p, w)
	state, now := types.TaskInfoStateSuccess, time.Now()
	var problem interface{}
	if fault != nil {
		state = types.TaskInfoStateError
		problem = types.LocalizedMethodFault{Fault: fault, LocalizedMessage: typeName(fault)}
	}
	t.update(
		types.PropertyChange{Name: "info.completeTime", Val: now},
		types.PropertyChange{Name: "info.cancelable", Val: false},
		types.PropertyChange{Name: "info.progress", Val: nil},
		types.PropertyChange{Name: "info.result", Val: result},
		types.PropertyChange{Name: "info.error", Val: problem},
		types.PropertyChange{Name: "info.state", Val: state},
	)
	running.Lock()
	delete(running.byRef, t.Self)
	running.Unlock()
	if p.forgetEnded {
		t.forget()
	}
	close(t.done)
}

// forget makes vCenter know nothing of the task any more; its work goes on.
func (t *runningTask) forget() {
	running.Lock()
	delete(running.byRef, t.Self)
	running.Unlock()
	removeRecentTask(t.Self)
	simulator.Map.Remove(t.Self)
}

// carryOut checks, waits and works; the simulator's own panics are faults, as one VM must not end all.
func (t *runningTask) carryOut(p plan, w work) (result types.AnyType, fault types.BaseMethodFault) {
	defer func() {
		if problem := recover(); problem != nil {
			log.Printf("%s: %v\n%s", t.Info.Name, problem, debug.Stack())
			result, fault = nil, &types.SystemError{Reason: fmt.Sprint(problem)}
		}
	}()
	if w.check != nil {
		if fault := w.check(); fault != nil {
			return nil, fault
		}
		defer w.release()
	}
	if fault := t.wait(p); fault != nil {
		return nil, fault
	}
	if p.taskFault != "" {
		subject := vim25.ServiceInstance
		if t.Info.Entity != nil {
			subject = *t.Info.Entity
		}
		fault, err := newFault(p.taskFault, subject)
		if err != nil {
			return nil, &types.SystemError{Reason: err.Error()}
		}
		return nil, fault
	}
	if p.pretend {
		return nil, nil
	}
	return w.do()
}

// wait lets the task's delay pass, with progress; it ends early, with a fault, when the task is canceled.
func (t *runningTask) wait(p plan) types.BaseMethodFault {
	const steps = 20
	canceled := t.canceled
	if p.deaf {
		canceled = nil
	}
	pause := time.Duration(p.taskDelay) * time.Millisecond / steps
	if p.endless {
		pause = 50 * time.Millisecond
	}
	if p.forgetEarly && pause == 0 {
		t.forget()
	}
	for step := 0; p.endless || (step < steps && p.taskDelay > 0); step++ {
		if step < steps {
			t.update(types.PropertyChange{Name: "info.progress", Val: int32(step * 100 / steps)})
		}
		if p.forgetEarly && step == steps/2 {
			t.forget()
		}
		select {
		case <-canceled:
			return &types.RequestCanceled{}
		case <-time.After(pause):
		}
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	select {
	case <-canceled:
		return &types.RequestCanceled{}
	default:
		t.cancelable = false
		t.update(types.PropertyChange{Name: "info.cancelable", Val: false})
		return nil
	}
}

func (t *runningTask) update(changes ...types.PropertyChange) {
	if simulator.Map.Get(t.Self) == nil { // it is forgotten
		return
	}
	simulator.Map.WithLock(t.Task, func() { simulator.Map.Update(t.Task, changes) })
}

// cancelTask is CancelTask: a task that is over is InvalidState, one that is at its work NotSupported.
func cancelTask(ref types.ManagedObjectReference) types.BaseMethodFault {
	running.Lock()
	t := running.byRef[ref]
	running.Unlock()
	if t == nil {
		if simulator.Map.Get(ref) == nil {
			return &types.ManagedObjectNotFound{Obj: ref}
		}
		return &types.InvalidState{}
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	select {
	case <-t.canceled:
		return nil
	default:
	}
	if !t.cancelable {
		return &types.NotSupported{}
	}
	t.update(types.PropertyChange{Name: "info.cancelled", Val: true})
	close(t.canceled)
	return nil
}

// addRecentTask lists a task in TaskManager.recentTask, in place of the simulator's own list: that one would show
// each operation twice, as the simulator makes a task of its own for the part that it does.
func addRecentTask(ref types.ManagedObjectReference) {
	manager := taskManager()
	manager.Lock()
	defer manager.Unlock()
	recent := append(append([]types.ManagedObjectReference(nil), manager.RecentTask...), ref)
	if len(recent) > recentTasks {
		recent = recent[len(recent)-recentTasks:]
	}
	simulator.Map.Update(manager, []types.PropertyChange{{Name: "recentTask", Val: recent}})
}

func removeRecentTask(ref types.ManagedObjectReference) {
	manager := taskManager()
	manager.Lock()
	defer manager.Unlock()
	recent := []types.ManagedObjectReference{}
	for _, other := range manager.RecentTask {
		if other != ref {
			recent = append(recent, other)
		}
	}
	simulator.Map.Update(manager, []types.PropertyChange{{Name: "recentTask", Val: recent}})
}

func taskManager() *simulator.TaskManager {
	content := simulator.Map.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content
	return simulator.Map.Get(*content.TaskManager).(*simulator.TaskManager)
}
