package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

const versionsPath = "/sdk/vimServiceVersions.xml"

// apiVersion is the simulator's own; ordered otherwise, it says another one, and keeps to that.
var apiVersion = ""

// listsVersions says whether there is a list of versions at versionsPath.
var listsVersions = true

// released are versions of the API that there are.
var released = []string{
	"5.5", "6.0", "6.5", "6.7", "6.7.1", "6.7.2", "6.7.3", "7.0.0.0", "7.0.1.0", "7.0.2.0", "7.0.3.0",
	"8.0.0.0", "8.0.0.1", "8.0.1.0", "8.0.2.0", "8.0.3.0", "9.0.0.0",
}

// since are properties that came later than 5.5, with the version that they came with.
var since = map[string]string{"config.createDate": "6.7"}

// controlVersion changes the version of the API: api=8.0.2.0; with list=no no list of versions is served.
func controlVersion(q url.Values) (answers, error) {
	if q.Get("api") == "" {
		return nil, errors.New("api= is missing: a version as 8.0.2.0")
	}
	ordered.Lock()
	defer ordered.Unlock()
	about().ApiVersion, listsVersions = q.Get("api"), q.Get("list") != "no"
	return answers{}, nil
}

func about() *types.AboutInfo {
	return &simulator.Map.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content.About
}

// currentVersion is that of the API, and whether all versions are listed.
func currentVersion() (string, bool) {
	ordered.Lock()
	defer ordered.Unlock()
	return about().ApiVersion, listsVersions
}

// answerVersions lists the versions that are taken.
func answerVersions(w http.ResponseWriter, r *http.Request) {
	current, listed := currentVersion()
	if !listed {
		http.NotFound(w, r)
		return
	}
	prior := ""
	for i := len(released) - 1; i >= 0; i-- {
		if newer(current, released[i]) {
			prior += "<version>" + released[i] + "</version>"
		}
	}
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `%s<namespaces version="1.0"><namespace><name>urn:vim25</name><version>%s</version>`+
		`<priorVersions>%s</priorVersions></namespace></namespaces>`, xml.Header, current, prior)
}

// refuseNewer is the fault for a call in a version that is not known here, or for a property that its version has not.
func refuseNewer(r *http.Request, method *simulator.Method) types.BaseMethodFault {
	_, version, _ := strings.Cut(strings.Trim(r.Header.Get("SOAPAction"), `"`), "/")
	if version == "" { // clients of other makes name none
		return nil
	}
	if current, _ := currentVersion(); newer(version, current) {
		return &types.InvalidRequest{}
	}
	for _, path := range pathsOf(method) {
		if first, late := since[path]; late && newer(first, version) {
			return &types.InvalidProperty{Name: path}
		}
	}
	return nil
}

// pathsOf are the properties that a call asks for.
func pathsOf(method *simulator.Method) []string {
	var specs []types.PropertyFilterSpec
	switch body := method.Body.(type) {
	case *types.RetrievePropertiesEx:
		specs = body.SpecSet
	case *types.RetrieveProperties:
		specs = body.SpecSet
	case *types.CreateFilter:
		specs = append(specs, body.Spec)
	}
	var paths []string
	for _, spec := range specs {
		for _, of := range spec.PropSet {
			paths = append(paths, of.PathSet...)
		}
	}
	return paths
}

// newer compares two versions, number by number.
func newer(one, other string) bool {
	ones, others := numbers(one), numbers(other)
	for i := 0; i < len(ones) || i < len(others); i++ {
		a, b := 0, 0
		if i < len(ones) {
			a = ones[i]
		}
		if i < len(others) {
			b = others[i]
		}
		if a != b {
			return a > b
		}
	}
	return false
}

func numbers(version string) []int {
	var parts []int
	for _, part := range strings.Split(version, ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return parts
		}
		parts = append(parts, number)
	}
	return parts
}
