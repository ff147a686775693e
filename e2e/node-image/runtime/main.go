// Command runtime is runc for machines whose root has no CAP_SYS_RESOURCE.
//
// Docker asks for every capability in a privileged container, and runc refuses what its own process doesn't have. This
// takes that one capability out of the request, and leaves all the rest to runc. Where root has it, it isn't used.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const missing = "CAP_SYS_RESOURCE"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "runtime:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if err := edit(args); err != nil {
		return err
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{runc}, args...), os.Environ())
}

// edit changes the file that runc is going to read, if it is told of one.
func edit(args []string) error {
	switch {
	case slices.Contains(args, "create") || slices.Contains(args, "run"):
		bundle := option(args, "--bundle", "-b")
		return rewrite(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
			if process, ok := spec["process"].(map[string]any); ok {
				strip(process)
			}
		})
	case slices.Contains(args, "exec"):
		if process := option(args, "--process", "-p"); process != "" {
			return rewrite(process, strip)
		}
	}
	return nil
}

// option is the value of the last such option, as `--name value` or `--name=value`.
func option(args []string, names ...string) (value string) {
	for i, arg := range args {
		name, inline, isInline := strings.Cut(arg, "=")
		switch {
		case !slices.Contains(names, name):
		case isInline:
			value = inline
		case i+1 < len(args):
			value = args[i+1]
		}
	}
	return value
}

// strip removes the capability from each of a process's sets.
func strip(process map[string]any) {
	sets, ok := process["capabilities"].(map[string]any)
	if !ok {
		return
	}
	for name, set := range sets {
		if list, ok := set.([]any); ok {
			sets[name] = slices.DeleteFunc(list, func(capability any) bool { return capability == missing })
		}
	}
}

func rewrite(path string, change func(map[string]any)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	// Numbers stay as they are written: some are too large for a float.
	decoder := json.NewDecoder(file)
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	change(object)
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
