package main

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

const (
	envelopeHead = xml.Header + `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"` +
		` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`
	envelopeTail = `</soapenv:Body></soapenv:Envelope>`
)

// answer writes the response of a method; inner is its content, as XML.
func answer(w http.ResponseWriter, method, inner string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	fmt.Fprintf(w, `%s<%sResponse xmlns="urn:vim25">%s</%sResponse>%s`, envelopeHead, method, inner, method, envelopeTail)
}

// answerFault writes a SOAP fault: the call itself was refused.
func answerFault(w http.ResponseWriter, fault types.BaseMethodFault) {
	kind := typeName(fault)
	start := xml.StartElement{Name: xml.Name{Local: kind + "Fault"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"},
		{Name: xml.Name{Local: "xsi:type"}, Value: kind},
	}}
	var detail bytes.Buffer
	if err := xml.NewEncoder(&detail).EncodeElement(fault, start); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `%s<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>%s</faultstring><detail>%s</detail></soapenv:Fault>%s`,
		envelopeHead, kind, detail.String(), envelopeTail)
}

// typeName is the name of a vSphere type: NoDiskSpace for a *types.NoDiskSpace.
func typeName(value interface{}) string {
	return reflect.TypeOf(value).Elem().Name()
}

// newFault makes a fault of the named type; what it must refer to refers to the object of the call.
func newFault(name string, object types.ManagedObjectReference) (types.BaseMethodFault, error) {
	kind, known := types.TypeFunc()(name)
	if !known {
		return nil, fmt.Errorf("vSphere has no type %q", name)
	}
	value := reflect.New(kind)
	fault, ok := value.Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("%s is not a fault", name)
	}
	fillReferences(value.Elem(), object)
	return fault, nil
}

// fillReferences sets the required references of a structure, and the states of a VM: clients refuse
// an empty one, and a task that is none.
func fillReferences(structure reflect.Value, object types.ManagedObjectReference) {
	for i := 0; i < structure.NumField(); i++ {
		field := structure.Field(i)
		switch {
		case field.Type() == reflect.TypeOf(object) && structure.Type().Field(i).Name == "Task":
			field.Set(reflect.ValueOf(types.ManagedObjectReference{Type: "Task", Value: "task-1"}))
		case field.Type() == reflect.TypeOf(object):
			field.Set(reflect.ValueOf(object))
		case field.Type() == reflect.TypeOf(types.VirtualMachinePowerState("")):
			field.Set(reflect.ValueOf(types.VirtualMachinePowerStatePoweredOff))
		case field.Kind() == reflect.Struct && structure.Type().Field(i).Anonymous:
			fillReferences(field, object)
		}
	}
}

// copyDevices returns devices that share nothing with the given ones.
func copyDevices(devices []types.BaseVirtualDevice) ([]types.BaseVirtualDevice, error) {
	var text bytes.Buffer
	if err := xml.NewEncoder(&text).Encode(&types.ArrayOfVirtualDevice{VirtualDevice: devices}); err != nil {
		return nil, err
	}
	decoder := xml.NewDecoder(&text)
	decoder.TypeFunc = types.TypeFunc()
	var copied types.ArrayOfVirtualDevice
	err := decoder.Decode(&copied)
	return copied.VirtualDevice, err
}
