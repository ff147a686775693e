// Package main says of objects what others make of them: Argo CD by a health check of ours, and kstatus by its own code.
//
// It reads {"script": LUA, "objects": [OBJECT, ...]} from stdin and writes one answer an object, in their order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type question struct {
	Script  string            `json:"script"`
	Objects []json.RawMessage `json:"objects"`
}

type answer struct {
	Kstatus string          `json:"kstatus"`
	Health  json.RawMessage `json:"health"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	answers := make([]answer, 0, len(asked.Objects))
	for number, object := range asked.Objects {
		kstatus, err := compute(object)
		if err != nil {
			return fmt.Errorf("object %d: kstatus: %w", number, err)
		}
		health, err := check(asked.Script, object)
		if err != nil {
			return fmt.Errorf("object %d: Lua: %w", number, err)
		}
		answers = append(answers, answer{kstatus, health})
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func compute(object []byte) (string, error) {
	read := &unstructured.Unstructured{}
	if err := read.UnmarshalJSON(object); err != nil {
		return "", err
	}
	result, err := status.Compute(read)
	if err != nil {
		return "", err
	}
	return result.Status.String(), nil
}

// check runs the script as Argo CD does for one in argocd-cm (util/lua/lua.go): without the standard libraries but
// for the basic ones and tables, with a second for it, and with the object as the global obj.
func check(script string, object []byte) (json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	value, err := luajson.Decode(state, object)
	if err != nil {
		return nil, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, errors.New("it returns no table")
	}
	return luajson.Encode(table)
}
