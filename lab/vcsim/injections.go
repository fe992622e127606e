package main

import (
	"sync"
	"time"
)

// injection is what was ordered for the calls of one method; counts go down with each call.
type injection struct {
	callDelay   int      // milliseconds before the call is looked at
	taskDelay   int      // milliseconds a task stays running
	statusCode  int      // HTTP status instead of an answer …
	statusCount int      // … for so many calls
	resetBefore int      // calls whose connection is reset before anything is done
	resetAfter  int      // calls that are carried out and whose answer is lost
	resetAhead  int      // calls whose connection is reset at once, and that are carried out then
	soapFault   string   // type of the fault that refuses the call …
	soapCount   int      // … for so many calls
	taskFaults  []string // types of the faults that the next tasks end with, in order
	endless     int      // tasks that run until they are canceled
	pretend     int      // tasks that end well and have done nothing
	deaf        int      // tasks that are canceled, and end well all the same
	forgetEnded int      // tasks that are forgotten as soon as they have ended
	forgetEarly int      // tasks that are forgotten while they run
	text        string   // what is answered instead …
	kind        string   // … as this type of content …
	textCount   int      // … to so many calls
}

// plan is what happens to one call.
type plan struct {
	taskDelay            int
	statusCode           int
	resetBefore          bool
	resetAfter           bool
	resetAhead           bool
	soapFault, taskFault string
	endless, pretend     bool
	deaf, answered       bool
	forgetEnded          bool
	forgetEarly          bool
	text, kind           string
}

// everyMethod is the name under which something is ordered for all methods.
const everyMethod = "*"

var injections = struct {
	sync.Mutex
	calls    map[string]int
	byMethod map[string]*injection
}{calls: map[string]int{}, byMethod: map[string]*injection{}}

// order changes what the next calls of a method get.
func order(method string, change func(*injection)) {
	injections.Lock()
	defer injections.Unlock()
	if injections.byMethod[method] == nil {
		injections.byMethod[method] = &injection{}
	}
	change(injections.byMethod[method])
}

// clearInjections takes back all that was ordered.
func clearInjections() {
	injections.Lock()
	defer injections.Unlock()
	injections.byMethod = map[string]*injection{}
}

// takeCalls returns how often each method was called since it was last asked.
func takeCalls() map[string]int {
	injections.Lock()
	defer injections.Unlock()
	calls := injections.calls
	injections.calls = map[string]int{}
	return calls
}

// planCall counts a call and takes what was ordered for it; an order for the method goes before one for all.
func planCall(method string) plan {
	injections.Lock()
	defer injections.Unlock()
	injections.calls[method]++
	for _, name := range []string{method, everyMethod} {
		if ordered := injections.byMethod[name]; ordered != nil {
			return ordered.take()
		}
	}
	return plan{}
}

// waitAsOrdered holds a call up as long as is ordered for its method now: a shorter delay, or none, lets go of it.
func waitAsOrdered(method string) {
	for began := time.Now(); time.Since(began) < orderedDelay(method); {
		time.Sleep(5 * time.Millisecond)
	}
}

// orderedDelay is that of a method, or of all.
func orderedDelay(method string) time.Duration {
	injections.Lock()
	defer injections.Unlock()
	for _, name := range []string{method, everyMethod} {
		if ordered := injections.byMethod[name]; ordered != nil {
			return time.Duration(ordered.callDelay) * time.Millisecond
		}
	}
	return 0
}

func (i *injection) take() plan {
	p := plan{taskDelay: i.taskDelay}
	switch { // one mishap a call
	case takeOne(&i.statusCount):
		p.statusCode = i.statusCode
	case takeOne(&i.resetBefore):
		p.resetBefore = true
	case takeOne(&i.textCount):
		p.answered, p.text, p.kind = true, i.text, i.kind
	case takeOne(&i.soapCount):
		p.soapFault = i.soapFault
	default:
		p.resetAfter = takeOne(&i.resetAfter)
		p.resetAhead = takeOne(&i.resetAhead)
		p.endless = takeOne(&i.endless)
		p.pretend = takeOne(&i.pretend)
		p.deaf = takeOne(&i.deaf)
		p.forgetEnded = takeOne(&i.forgetEnded)
		p.forgetEarly = takeOne(&i.forgetEarly)
		if len(i.taskFaults) > 0 {
			p.taskFault, i.taskFaults = i.taskFaults[0], i.taskFaults[1:]
		}
	}
	return p
}

func takeOne(count *int) bool {
	if *count <= 0 {
		return false
	}
	*count--
	return true
}
