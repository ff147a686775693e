// Command app is the application of tests on real clusters: a web server in an image of nothing else.
//
//	app                 serves: GET / says who answers, /data/NAME keeps files in $DATA
//	app get URL         prints what URL answers, since such an image has no curl; fails unless it is 200
//	app put URL TEXT    sends TEXT
//	app cat FILE        prints a file, as the examples' jobs do
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// The most that a file may hold: tests write a line, and a mistake shouldn't fill a disk.
const sizeMax = 1 << 20

// A plain file name: no separator, so nothing outside $DATA can be named.
var fileName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.LUTC)
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return serve()
	case len(args) == 2 && args[0] == "get":
		return call(http.MethodGet, args[1], "")
	case len(args) == 3 && args[0] == "put":
		return call(http.MethodPut, args[1], args[2])
	case len(args) == 2 && args[0] == "cat":
		text, err := os.ReadFile(args[1])
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		return err
	}
	return errors.New("usage: app | app get URL | app put URL TEXT | app cat FILE")
}

func serve() error {
	// As the first process of a container it is killed by no signal that it doesn't ask for.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	server := &http.Server{
		Addr:              ":" + or("PORT", "8080"),
		Handler:           handler(os.Getenv("DATA")),
		ReadHeaderTimeout: 5 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("serving on %s", server.Addr)
	select {
	case err := <-failed:
		return err
	case signal := <-signals:
		log.Printf("%s: ending", signal)
		return server.Close()
	}
}

func handler(data string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		host, _ := os.Hostname()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"pod":       or("POD", host),
			"namespace": os.Getenv("NAMESPACE"),
			"node":      os.Getenv("NODE"),
			"version":   or("VERSION", "1"),
		})
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/data/{name}", func(w http.ResponseWriter, r *http.Request) { keep(w, r, data) })
	return mux
}

// keep reads or writes one file in the folder data.
func keep(w http.ResponseWriter, r *http.Request, data string) {
	name := r.PathValue("name")
	if data == "" || !fileName.MatchString(name) {
		http.NotFound(w, r)
		return
	}
	path := filepath.Join(data, name)
	switch r.Method {
	case http.MethodGet:
		http.ServeFile(w, r, path)
	case http.MethodPut:
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, sizeMax))
		if err == nil {
			err = write(path, text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "only GET and PUT", http.StatusMethodNotAllowed)
	}
}

// write is done when the text is on the disk, so that what a test was told is true after a crash.
func write(path string, text []byte) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fs.FileMode(0o644))
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func call(method, url, text string) error {
	request, err := http.NewRequest(method, url, strings.NewReader(text))
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, io.LimitReader(response.Body, sizeMax)); err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	return nil
}

func or(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
