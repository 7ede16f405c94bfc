package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	engram "github.com/orchard9/engram-go"
)

// envDataDir names the data directory when --data does not.
const envDataDir = "ENGRAM_DATA_DIR"

// resolveDataDir returns the absolute data directory: of the flag, else of the environment, else the platform's. The
// working directory matters only to a relative path that somebody typed.
func (a *app) resolveDataDir() (string, error) {
	dir := a.dataDir
	if dir == "" {
		dir = a.getenv(envDataDir)
	}
	if dir == "" {
		return defaultDataDir(runtime.GOOS, a.getenv)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolve data directory %s: %w", dir, err)
	}
	return abs, nil
}

// defaultDataDir returns the data directory that the platform's conventions give a program named engram.
func defaultDataDir(goos string, getenv func(string) string) (string, error) {
	variable, below := "HOME", filepath.Join(".local", "share")
	switch goos {
	case "windows":
		variable, below = "LocalAppData", ""
	case "darwin", "ios":
		below = filepath.Join("Library", "Application Support")
	default:
		// The XDG specification says that a relative path is to be ignored.
		if xdg := getenv("XDG_DATA_HOME"); filepath.IsAbs(xdg) {
			return filepath.Join(xdg, "engram"), nil
		}
	}
	base := getenv(variable)
	if base == "" {
		return "", usagef("no data directory: %s is not set; give --data DIR or set %s", variable, envDataDir)
	}
	return filepath.Join(base, below, "engram"), nil
}

// requireDataDir refuses a directory that does not exist, for commands that would find nothing in a new one: a
// mistyped path must not turn into an empty memory.
func requireDataDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		return fmt.Errorf("no memories at %s: %w. Remember or import something first, or check --data and %s",
			dir, engram.ErrNotFound, envDataDir)
	case err != nil:
		return fmt.Errorf("look at data directory: %w", err)
	case !info.IsDir():
		return usagef("the data directory %s is a file; give a directory with --data", dir)
	}
	return nil
}
