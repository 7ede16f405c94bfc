package server_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/orchard9/engram-go/server"
)

func TestAddress(t *testing.T) {
	dir := t.TempDir()
	if _, err := server.ReadAddress(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("ReadAddress(no file) = %v, want fs.ErrNotExist", err)
	}
	mine := server.Address{Addr: "127.0.0.1:7474", PID: 42, Started: time.Unix(1, 0).UTC()}
	stale := server.Address{Addr: "127.0.0.1:1", PID: 41}
	for _, a := range []server.Address{stale, mine} {
		if err := server.WriteAddress(dir, a); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := server.ReadAddress(dir); err != nil || got != mine {
		t.Errorf("ReadAddress() = %v, %v, want %v", got, err, mine)
	}
	info, err := os.Stat(filepath.Join(dir, "server.json"))
	if err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("server.json has mode %v, %v, want 0600", info.Mode(), err)
	}
	if err := server.RemoveAddress(dir, stale); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadAddress(dir); err != nil {
		t.Errorf("RemoveAddress(another's) removed it: %v", err)
	}
	for range 2 {
		if err := server.RemoveAddress(dir, mine); err != nil {
			t.Errorf("RemoveAddress() = %v", err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left in the directory", left)
	}
}

func TestReadAddressRefusesNonsense(t *testing.T) {
	for _, text := range []string{"", "{", `{"addr":"nowhere"}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "server.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := server.ReadAddress(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadAddress(%q) = %v, %v, want an error that says so", text, a, err)
		}
	}
}
