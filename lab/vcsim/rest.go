package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"

	_ "github.com/vmware/govmomi/vapi/simulator" // serves restPrefix: sessions, categories, tags
)

// vCenter's REST API has two forms: the older one, which govmomi's simulator serves, wraps each answer in "value"; the
// one of vSphere 7.0.2 and later does not, and has other paths.
const (
	restPrefix = "/rest/com/vmware"
	apiPrefix  = "/api"
)

// rest lets a call go wrong as ordered, looks at who logs in (0.24.2 lets everybody in), and serves both forms. A call
// counts under its method and path without an id: "POST /api/session", "GET /rest/com/vmware/cis/tagging/tag".
func (f *front) rest(w http.ResponseWriter, r *http.Request) {
	route, id := r.URL.Path, ""
	if dir, last := path.Split(r.URL.Path); strings.Contains(last, ":") {
		route, id = strings.TrimSuffix(dir, "/"), strings.TrimPrefix(last, "id:")
	}
	name := r.Method + " " + route
	p := planCall(name)
	waitAsOrdered(name)
	user, secret, _ := r.BasicAuth()
	switch {
	case p.statusCode != 0:
		http.Error(w, "ordered by the lab", p.statusCode)
	case p.resetBefore:
		reset(w)
	case p.answered:
		answerText(w, p)
	case r.Method == http.MethodPost && strings.HasSuffix(route, "/session") && (user != *username || secret != f.secret):
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasPrefix(route, apiPrefix+"/"):
		f.api(w, r, route, id)
	default:
		relay(w, f.ask(r, r.URL.Path, r.URL.RawQuery, r.Body))
	}
}

// api serves a call in the newer form by one in the older.
func (f *front) api(w http.ResponseWriter, r *http.Request, route, id string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action := r.URL.Query().Get("action")
	if action == "list-tags-for-category" {
		var asked struct {
			Category string `json:"category_id"`
		}
		if err := json.Unmarshal(body, &asked); err != nil || asked.Category == "" {
			http.Error(w, "category_id is missing", http.StatusBadRequest)
			return
		}
		id = asked.Category
	}
	old, query := restPrefix+strings.TrimPrefix(route, apiPrefix), ""
	if route == apiPrefix+"/session" {
		old = restPrefix + "/cis/session"
	}
	if id != "" {
		old += "/id:" + id
	}
	if action != "" {
		query = "~action=" + action
	}
	answer := f.ask(r, old, query, bytes.NewReader(body))
	var wrapped struct {
		Value json.RawMessage `json:"value"`
	}
	if answer.Code == http.StatusOK && json.Unmarshal(answer.Body.Bytes(), &wrapped) == nil {
		answer.Body = bytes.NewBuffer(wrapped.Value)
	}
	switch {
	case answer.Code == http.StatusOK && r.Method == http.MethodPost && action == "":
		answer.Code = http.StatusCreated
	case answer.Code == http.StatusOK && answer.Body.Len() == 0:
		answer.Code = http.StatusNoContent
	}
	relay(w, answer)
}

// ask puts a call to the simulator, which leaves out a list that is empty where vCenter does not.
func (f *front) ask(r *http.Request, path, query string, body io.Reader) *httptest.ResponseRecorder {
	asked := r.Clone(r.Context())
	asked.URL.Path, asked.URL.RawPath, asked.URL.RawQuery = path, "", query
	asked.Body = io.NopCloser(body)
	recorder := httptest.NewRecorder()
	f.simulator.ServeHTTP(recorder, asked)
	text := strings.ReplaceAll(recorder.Body.String(), `"object_ids":null`, `"object_ids":[]`)
	if strings.TrimSpace(text) == `{}` || strings.Contains(text, `{"value":null}`) {
		text = `{"value":[]}`
	}
	recorder.Body = bytes.NewBufferString(text)
	return recorder
}

func relay(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client has gone: nobody is left to be told
}
