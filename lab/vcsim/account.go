package main

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// ordered is how this vCenter differs from a well-kept one: what the account may not do (0.24.2 grants everything),
// and how far its clock is ahead.
var ordered = struct {
	sync.Mutex
	lacking map[string]bool
	ahead   time.Duration
}{lacking: map[string]bool{}}

// clearAccount gives the account all privileges, and the clock the right time.
func clearAccount() {
	ordered.Lock()
	defer ordered.Unlock()
	ordered.lacking, ordered.ahead = map[string]bool{}, 0
	about().ApiVersion, listsVersions = apiVersion, true
}

// controlLack takes privileges from the account: privilege=A,B.
func controlLack(q url.Values) (answers, error) {
	if q.Get("privilege") == "" {
		return nil, errors.New("privilege= is missing: the ids of privileges, separated by commas")
	}
	ordered.Lock()
	defer ordered.Unlock()
	for _, id := range strings.Split(q.Get("privilege"), ",") {
		ordered.lacking[id] = true
	}
	return answers{}, nil
}

// controlClock puts the clock ahead, or back: by=10m, by=-10m.
func controlClock(q url.Values) (answers, error) {
	by, err := time.ParseDuration(q.Get("by"))
	if err != nil {
		return nil, err
	}
	ordered.Lock()
	defer ordered.Unlock()
	ordered.ahead = by
	return answers{}, nil
}

// now is the time by this vCenter's clock.
func now() time.Time {
	ordered.Lock()
	defer ordered.Unlock()
	return time.Now().UTC().Add(ordered.ahead)
}

func answerCurrentTime(w http.ResponseWriter, method *simulator.Method, _ plan) {
	answer(w, method.Name, "<returnval>"+now().Format(time.RFC3339Nano)+"</returnval>")
}

func answerHasPrivilege(w http.ResponseWriter, method *simulator.Method, _ plan) {
	request, ok := method.Body.(*types.HasPrivilegeOnEntities)
	if !ok {
		answerFault(w, &types.InvalidRequest{})
		return
	}
	ordered.Lock()
	defer ordered.Unlock()
	var told bytes.Buffer
	for _, entity := range request.Entity {
		fmt.Fprintf(&told, `<returnval><entity type="%s">%s</entity>`, entity.Type, entity.Value)
		for _, id := range request.PrivId {
			fmt.Fprintf(&told, "<privAvailability><privId>%s</privId><isGranted>%t</isGranted></privAvailability>",
				html.EscapeString(id), !ordered.lacking[id])
		}
		told.WriteString("</returnval>")
	}
	answer(w, method.Name, told.String())
}
