package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func ask(t *testing.T, server *httptest.Server, method, path, text string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, server.URL+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(body))
}

func TestSaysWhoAnswers(t *testing.T) {
	t.Setenv("POD", "app-1")
	t.Setenv("NODE", "nl-ams-1-control-plane")
	server := httptest.NewServer(handler(""))
	defer server.Close()
	const want = `{"namespace":"","node":"nl-ams-1-control-plane","pod":"app-1","version":"1"}`
	if code, body := ask(t, server, http.MethodGet, "/", ""); code != http.StatusOK || body != want {
		t.Errorf("%d %s", code, body)
	}
}

func TestKeepsFilesOnlyInItsFolder(t *testing.T) {
	server := httptest.NewServer(handler(t.TempDir()))
	defer server.Close()
	if code, body := ask(t, server, http.MethodPut, "/data/note", "hello"); code != http.StatusNoContent {
		t.Errorf("%d %s", code, body)
	}
	if code, body := ask(t, server, http.MethodGet, "/data/note", ""); code != http.StatusOK || body != "hello" {
		t.Errorf("%d %s", code, body)
	}
	for _, path := range []string{"/data/..%2fnote", "/data/.hidden", "/data/other"} {
		if code, _ := ask(t, server, http.MethodGet, path, ""); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}
