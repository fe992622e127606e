package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// unrecommended are the datastore clusters for which Storage DRS has no recommendation.
var unrecommended = struct {
	sync.Mutex
	pods map[types.ManagedObjectReference]bool
}{pods: map[types.ManagedObjectReference]bool{}}

// controlPod makes a datastore cluster of datastores, or changes one: name, datastore=A,B, drs=off, recommend=none.
func controlPod(q url.Values) (answers, error) {
	datacenter, err := namedDatacenter(q)
	if err != nil {
		return nil, err
	}
	folder := simulator.Map.Get(datacenter.DatastoreFolder).(*simulator.Folder)
	found := simulator.Map.FindByName(q.Get("name"), folder.ChildEntity)
	if found == nil {
		ref, err := added(invoke(folder.Self, &types.CreateStoragePod{This: folder.Self, Name: q.Get("name")}))
		if err != nil {
			return nil, err
		}
		found = simulator.Map.Get(ref).(*simulator.StoragePod)
	}
	pod, ok := found.(*simulator.StoragePod)
	if !ok {
		return nil, fmt.Errorf("name=%q is no datastore cluster", q.Get("name"))
	}
	for _, name := range strings.FieldsFunc(q.Get("datastore"), func(r rune) bool { return r == ',' }) {
		store, ok := simulator.Map.FindByName(name, datacenter.Datastore).(*simulator.Datastore)
		if !ok {
			return nil, fmt.Errorf("datastore=%q is no datastore of %s", name, datacenter.Name)
		}
		// It stays in the folder's list, too: 0.24.2 does not look into a datastore cluster for a view.
		simulator.Map.WithLock(store, func() { store.Parent = &pod.Self })
		simulator.Map.AddReference(pod, &pod.ChildEntity, store.Self)
	}
	simulator.Map.WithLock(pod, func() {
		pod.Summary.Name, pod.Summary.Capacity, pod.Summary.FreeSpace = pod.Name, 0, 0
		for _, store := range datastoresIn(pod) {
			pod.Summary.Capacity += store.Summary.Capacity
			pod.Summary.FreeSpace += store.Summary.FreeSpace
		}
		pod.PodStorageDrsEntry.StorageDrsConfig.PodConfig.Enabled = q.Get("drs") != "off"
	})
	unrecommended.Lock()
	defer unrecommended.Unlock()
	unrecommended.pods[pod.Self] = q.Get("recommend") == "none"
	return answers{"pod": pod.Self.Value}, nil
}

// controlDatastore changes a datastore: its free room in GiB, free=20, and whether it is there, accessible=no.
func controlDatastore(q url.Values) (answers, error) {
	datacenter, err := namedDatacenter(q)
	if err != nil {
		return nil, err
	}
	store, ok := simulator.Map.FindByName(q.Get("name"), datacenter.Datastore).(*simulator.Datastore)
	if !ok {
		return nil, fmt.Errorf("name=%q is no datastore of %s", q.Get("name"), datacenter.Name)
	}
	free := store.Summary.FreeSpace
	if q.Get("free") != "" {
		gibibytes, err := number(q, "free")
		if err != nil {
			return nil, err
		}
		free = int64(gibibytes) * gibibyte
	}
	simulator.Map.WithLock(store, func() {
		setFreeSpace(store, free)
		store.Summary.Accessible = q.Get("accessible") != "no"
	})
	return answers{}, nil
}

func datastoresIn(pod *simulator.StoragePod) []*simulator.Datastore {
	stores := make([]*simulator.Datastore, 0, len(pod.ChildEntity))
	for _, ref := range pod.ChildEntity {
		stores = append(stores, simulator.Map.Get(ref).(*simulator.Datastore))
	}
	return stores
}

// answerRecommendDatastores has Storage DRS recommend the accessible datastores of a datastore cluster for a clone, the
// one with the most free room first. 0.24.2 goes by another field of the request, and takes any.
func answerRecommendDatastores(w http.ResponseWriter, method *simulator.Method, _ plan) {
	spec := method.Body.(*types.RecommendDatastores).StorageSpec
	chosen := spec.PodSelectionSpec.StoragePod
	for property, given := range map[string]bool{
		"storageSpec.podSelectionSpec.storagePod": chosen != nil, "storageSpec.vm": spec.Vm != nil, "storageSpec.folder": spec.Folder != nil,
		"storageSpec.cloneName": spec.CloneName != "", "storageSpec.cloneSpec": spec.CloneSpec != nil,
	} {
		if !given || spec.Type != string(types.StoragePlacementSpecPlacementTypeClone) {
			answerFault(w, &types.InvalidArgument{InvalidProperty: property})
			return
		}
	}
	pod, ok := simulator.Map.Get(*chosen).(*simulator.StoragePod)
	if !ok {
		answerFault(w, &types.ManagedObjectNotFound{Obj: *chosen})
		return
	}
	if !pod.PodStorageDrsEntry.StorageDrsConfig.PodConfig.Enabled {
		answerFault(w, &types.InvalidArgument{InvalidProperty: "storageSpec.podSelectionSpec.storagePod"})
		return
	}
	var text bytes.Buffer
	start := xml.StartElement{Name: xml.Name{Local: "returnval"}}
	if err := xml.NewEncoder(&text).EncodeElement(recommendations(pod), start); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, method.Name, text.String())
}

func recommendations(pod *simulator.StoragePod) types.StoragePlacementResult {
	var result types.StoragePlacementResult
	unrecommended.Lock()
	defer unrecommended.Unlock()
	if unrecommended.pods[pod.Self] {
		return result
	}
	stores := datastoresIn(pod)
	sort.SliceStable(stores, func(i, j int) bool { return stores[i].Summary.FreeSpace > stores[j].Summary.FreeSpace })
	for _, store := range stores {
		if !store.Summary.Accessible {
			continue
		}
		result.Recommendations = append(result.Recommendations, types.ClusterRecommendation{
			Key: strconv.Itoa(len(result.Recommendations) + 1), Type: "V1", Time: time.Now(), Rating: 5,
			Reason: "storagePlacement", ReasonText: "Satisfy storage initial placement requests", Target: &pod.Self,
			Action: []types.BaseClusterAction{&types.StoragePlacementAction{
				ClusterAction: types.ClusterAction{Type: "StoragePlacementV1"},
				RelocateSpec:  types.VirtualMachineRelocateSpec{Datastore: &store.Self}, Destination: store.Self,
			}},
		})
	}
	return result
}
