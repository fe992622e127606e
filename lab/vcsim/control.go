package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// controlPath is the tests' own door; lab/README.md lists what stands behind it.
const controlPath = "/_sim/"

type answers map[string]interface{}

var controls = map[string]func(url.Values) (answers, error){
	"calls": func(url.Values) (answers, error) { return answers{"calls": takeCalls()}, nil },
	"clear": func(url.Values) (answers, error) { clearInjections(); clearAccount(); return answers{}, nil },
	"delay": func(q url.Values) (answers, error) {
		return orderNumber(q, "ms", func(i *injection, ms int) { i.callDelay = ms })
	},
	"taskdelay": func(q url.Values) (answers, error) {
		return orderNumber(q, "ms", func(i *injection, ms int) { i.taskDelay = ms })
	},
	"endless": func(q url.Values) (answers, error) {
		return orderNumber(q, "count", func(i *injection, count int) { i.endless = count })
	},
	"pretend": func(q url.Values) (answers, error) {
		return orderNumber(q, "count", func(i *injection, count int) { i.pretend = count })
	},
	"deaf": func(q url.Values) (answers, error) {
		return orderNumber(q, "count", func(i *injection, count int) { i.deaf = count })
	},
	"answer":        controlAnswer,
	"cluster":       controlCluster,
	"datacenter":    controlDatacenter,
	"datastore":     controlDatastore,
	"opaque":        controlOpaque,
	"pod":           controlPod,
	"vapp":          controlVApp,
	"consolidation": controlConsolidation,
	"forget":        controlForget,
	"http":          controlHTTP,
	"reset":         controlReset,
	"soapfault":     controlSOAPFault,
	"taskfault":     controlTaskFault,
	"expire":        func(url.Values) (answers, error) { return expireSessions() },
	"backdate":      controlBackdate,
	"guest":         controlGuest,
	"lack":          controlLack,
	"clock":         controlClock,
	"version":       controlVersion,
}

func control(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, controlPath)
	act, known := controls[name]
	if !known {
		names := make([]string, 0, len(controls))
		for other := range controls {
			names = append(names, other)
		}
		sort.Strings(names)
		http.Error(w, fmt.Sprintf("unknown request %q; there are: %s", name, strings.Join(names, ", ")), http.StatusNotFound)
		return
	}
	out, err := act(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client has gone: nobody is left to be told
}

// number reads a parameter that is a count or a time; count is 1 where it is not given.
func number(q url.Values, name string) (int, error) {
	if name == "count" && q.Get(name) == "" {
		return 1, nil
	}
	value, err := strconv.Atoi(q.Get(name))
	if err != nil || value < 0 {
		return 0, fmt.Errorf("%s=%q is not a number of 0 or more", name, q.Get(name))
	}
	return value, nil
}

func methodOf(q url.Values) (string, error) {
	if q.Get("method") == "" {
		return "", errors.New("method= is missing: the name of a SOAP method, CloneVM_Task, or * for all")
	}
	return q.Get("method"), nil
}

func orderNumber(q url.Values, name string, change func(*injection, int)) (answers, error) {
	method, err := methodOf(q)
	if err != nil {
		return nil, err
	}
	value, err := number(q, name)
	if err != nil {
		return nil, err
	}
	order(method, func(i *injection) { change(i, value) })
	return answers{}, nil
}

func controlHTTP(q url.Values) (answers, error) {
	status := http.StatusServiceUnavailable
	if q.Get("status") != "" {
		var err error
		if status, err = strconv.Atoi(q.Get("status")); err != nil || status < 400 || status > 599 {
			return nil, fmt.Errorf("status=%q is not an HTTP status from 400 to 599", q.Get("status"))
		}
	}
	return orderNumber(q, "count", func(i *injection, count int) { i.statusCode, i.statusCount = status, count })
}

func controlAnswer(q url.Values) (answers, error) {
	kind := q.Get("type")
	if kind == "" {
		kind = "application/json"
	}
	return orderNumber(q, "count", func(i *injection, count int) {
		i.text, i.kind, i.textCount = q.Get("text"), kind, count
	})
}

func controlReset(q url.Values) (answers, error) {
	switch when := q.Get("when"); when {
	case "", "before":
		return orderNumber(q, "count", func(i *injection, count int) { i.resetBefore = count })
	case "after":
		return orderNumber(q, "count", func(i *injection, count int) { i.resetAfter = count })
	case "ahead":
		return orderNumber(q, "count", func(i *injection, count int) { i.resetAhead = count })
	default:
		return nil, fmt.Errorf("when=%q is none of before, after and ahead", when)
	}
}

func controlForget(q url.Values) (answers, error) {
	switch when := q.Get("when"); when {
	case "", "ended":
		return orderNumber(q, "count", func(i *injection, count int) { i.forgetEnded = count })
	case "running":
		return orderNumber(q, "count", func(i *injection, count int) { i.forgetEarly = count })
	default:
		return nil, fmt.Errorf("when=%q is neither ended nor running", when)
	}
}

func controlSOAPFault(q url.Values) (answers, error) {
	name := q.Get("fault")
	if _, err := newFault(name, types.ManagedObjectReference{}); err != nil {
		return nil, err
	}
	return orderNumber(q, "count", func(i *injection, count int) { i.soapFault, i.soapCount = name, count })
}

func controlTaskFault(q url.Values) (answers, error) {
	name := q.Get("fault")
	if _, err := newFault(name, types.ManagedObjectReference{}); err != nil {
		return nil, err
	}
	return orderNumber(q, "count", func(i *injection, count int) {
		for ; count > 0; count-- {
			i.taskFaults = append(i.taskFaults, name)
		}
	})
}

func controlBackdate(q url.Values) (answers, error) {
	vm, err := namedVM(q)
	if err != nil {
		return nil, err
	}
	by, err := time.ParseDuration(q.Get("by"))
	if err != nil {
		return nil, err
	}
	changed := 0
	simulator.Map.WithLock(vm, func() {
		if vm.Snapshot != nil {
			changed = backdate(vm.Snapshot.RootSnapshotList, q.Get("prefix"), by)
		}
	})
	return answers{"changed": changed}, nil
}

func controlGuest(q url.Values) (answers, error) {
	vm, err := namedVM(q)
	if err != nil {
		return nil, err
	}
	simulator.Map.WithLock(vm, func() { report(vm, q.Get("ip")) })
	return answers{}, nil
}

func controlConsolidation(q url.Values) (answers, error) {
	vm, err := namedVM(q)
	if err != nil {
		return nil, err
	}
	needed := q.Get("needed") != "no"
	simulator.Map.WithLock(vm, func() {
		simulator.Map.Update(vm, []types.PropertyChange{{Name: "runtime.consolidationNeeded", Val: needed}})
	})
	return answers{}, nil
}

func namedVM(q url.Values) (*simulator.VirtualMachine, error) {
	name := q.Get("vm")
	var found []*simulator.VirtualMachine
	for _, entity := range simulator.Map.All("VirtualMachine") {
		if vm := vmOf(entity.Reference()); vm != nil && (vm.Name == name || vm.Self.Value == name) {
			found = append(found, vm)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("vm=%q is neither the id of a VM nor the name of one alone", name)
	}
	return found[0], nil
}

// expireSessions ends every session: the next call of each client is answered with NotAuthenticated.
func expireSessions() (answers, error) {
	own := &simulator.Session{UserSession: types.UserSession{Key: "lab"}, Registry: simulator.NewRegistry()}
	view, ok := own.Get(simulator.Map.SessionManager().Self).(*simulator.SessionManager)
	if !ok {
		return nil, errors.New("the session manager has another type")
	}
	ids := make([]string, 0, len(view.SessionList))
	for _, session := range view.SessionList {
		ids = append(ids, session.Key)
	}
	simulator.Map.SessionManager().TerminateSession(
		&simulator.Context{Session: own, Map: simulator.Map}, &types.TerminateSession{SessionId: ids})
	return answers{"expired": len(ids)}, nil
}
