package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyTheOneCapabilityGoes(t *testing.T) {
	const before = `{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"]}},"linux":{"limit":9223372036854771712}}`
	const after = `{"linux":{"limit":9223372036854771712},"process":{"capabilities":{"bounding":["CAP_CHOWN"],"effective":[]}}}`
	bundle := t.TempDir()
	path := filepath.Join(bundle, "config.json")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--root", "/run/x", "create", "--bundle", bundle, "--pid-file", "p", "id"},
		{"--log-format=json", "create", "--bundle=" + bundle, "id"},
	} {
		if err := edit(args); err != nil {
			t.Fatal(err)
		}
		if text, _ := os.ReadFile(path); string(text) != after {
			t.Errorf("%v made %s", args, text)
		}
	}
}

func TestWhatReadsNoFileIsLeftAlone(t *testing.T) {
	for _, args := range [][]string{{"delete", "--force", "id"}, {"state", "id"}, {"exec", "id", "ls"}, {}} {
		if err := edit(args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}
