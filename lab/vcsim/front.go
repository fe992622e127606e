package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// front sits before the simulator's own handler: it counts calls, lets them go wrong as ordered, runs tasks, and
// passes on what it does not know.
type front struct {
	simulator http.Handler
	secret    string // the account's password, for the REST API
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, controlPath):
		control(w, r)
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/sdk"):
		f.soap(w, r)
	case r.URL.Path == versionsPath:
		answerVersions(w, r)
	case strings.HasPrefix(r.URL.Path, restPrefix+"/"), strings.HasPrefix(r.URL.Path, apiPrefix+"/"):
		f.rest(w, r)
	default:
		f.simulator.ServeHTTP(w, r)
	}
}

func (f *front) soap(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	method, err := simulator.UnmarshalBody(types.TypeFunc(), body)
	if err != nil { // the simulator knows types of other namespaces too
		f.simulator.ServeHTTP(w, again(r, body))
		return
	}
	p := planCall(method.Name)
	if p.resetAhead {
		reset(w)
		f.carryOutLater(r, method, p)
		return
	}
	waitAsOrdered(method.Name)
	switch {
	case p.statusCode != 0:
		http.Error(w, "ordered by the lab", p.statusCode)
	case p.resetBefore:
		reset(w)
	case p.answered:
		answerText(w, p)
	case p.soapFault != "":
		f.refuse(w, method, p.soapFault)
	case refuseNewer(r, method) != nil:
		answerFault(w, refuseNewer(r, method))
	case p.resetAfter:
		f.carryOut(httptest.NewRecorder(), r, method, body, p)
		reset(w)
	default:
		f.carryOut(w, r, method, body, p)
	}
}

func (f *front) carryOut(w http.ResponseWriter, r *http.Request, method *simulator.Method, body []byte, p plan) {
	if method.Name == "Fetch" {
		f.fetch(w, r, body)
		return
	}
	if op := findOperation(method); op != nil && f.authenticated(r) {
		op(w, method, p)
		return
	}
	if !strings.HasPrefix(method.Name, "WaitForUpdates") {
		inventory.RLock()
		defer inventory.RUnlock()
	}
	f.simulator.ServeHTTP(w, again(r, body))
}

// carryOutLater does what a client asked for whose connection was reset, also where it has logged out by then.
func (f *front) carryOutLater(r *http.Request, method *simulator.Method, p plan) {
	op := findOperation(method)
	if op == nil || !f.authenticated(r) {
		return
	}
	waitAsOrdered(method.Name)
	op(httptest.NewRecorder(), method, p)
}

// fetch answers nothing for an unset property, where 0.24.2 panics (vm.snapshot of a VM without one).
func (f *front) fetch(w http.ResponseWriter, r *http.Request, body []byte) {
	inventory.RLock()
	defer inventory.RUnlock()
	defer func() {
		if recover() != nil {
			answer(w, "Fetch", "")
		}
	}()
	f.simulator.ServeHTTP(w, again(r, body))
}

// answerText writes what was ordered in the place of an answer.
func answerText(w http.ResponseWriter, p plan) {
	w.Header().Set("Content-Type", p.kind)
	_, _ = io.WriteString(w, p.text) // the client has gone: nobody is left to be told
}

func (f *front) refuse(w http.ResponseWriter, method *simulator.Method, name string) {
	fault, err := newFault(name, method.This)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answerFault(w, fault)
}

// authenticated asks the simulator, in the name of the caller: so the session counts as used, too.
func (f *front) authenticated(r *http.Request) bool {
	const currentTime = envelopeHead + `<CurrentTime xmlns="urn:vim25"><_this type="ServiceInstance">ServiceInstance</_this></CurrentTime>` + envelopeTail
	recorder := httptest.NewRecorder()
	f.simulator.ServeHTTP(recorder, again(r, []byte(currentTime)))
	return recorder.Code == http.StatusOK
}

// again is the request with a body that was not read yet.
func again(r *http.Request, body []byte) *http.Request {
	copied := r.Clone(context.Background())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	return copied
}

// reset ends the connection the hard way: the client reads ECONNRESET, not an answer.
func reset(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	connection, _, err := hijacker.Hijack()
	if err != nil {
		log.Print("reset: ", err)
		return
	}
	var plain net.Conn = connection
	if secured, ok := connection.(*tls.Conn); ok {
		plain = secured.NetConn()
	}
	if tcp, ok := plain.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a failure only makes the end of the connection softer
	}
	_ = plain.Close()
}
