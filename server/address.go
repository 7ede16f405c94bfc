package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

const (
	// addressFile is the name of the file in the data directory that says where its server listens.
	addressFile = "server.json"
	// maxAddressFile bounds what ReadAddress reads.
	maxAddressFile = 4 << 10
)

// Address says where a data directory's server can be reached.
type Address struct {
	Addr    string    `json:"addr"` // host:port
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// WriteAddress makes a known to [ReadAddress]: server.json in dir, readable by its owner only, written aside and
// renamed. It replaces what a killed server left: the caller holds the directory's lock.
func WriteAddress(dir string, a Address) (err error) {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write server address: %w", err)
	}
	f, err := os.CreateTemp(dir, addressFile+".*.tmp") // Made with mode 0600.
	if err != nil {
		return fmt.Errorf("write server address: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write server address: %w", err), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(append(data, '\n')); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, addressFile))
}

// ReadAddress returns where dir's server said it listens; the error matches fs.ErrNotExist if none did. A killed server
// leaves its address behind: ask GET /healthz before trusting it.
func ReadAddress(dir string) (Address, error) {
	f, err := os.Open(filepath.Join(dir, addressFile))
	if err != nil {
		return Address{}, fmt.Errorf("read server address: %w", err)
	}
	defer func() { _ = f.Close() }() // Opened for reading.
	data, err := io.ReadAll(io.LimitReader(f, maxAddressFile))
	if err != nil {
		return Address{}, fmt.Errorf("read server address: %w", err)
	}
	var a Address
	if err := json.Unmarshal(data, &a); err != nil {
		return Address{}, fmt.Errorf("read server address: %s: %w", f.Name(), err)
	}
	if _, _, err := net.SplitHostPort(a.Addr); err != nil {
		return Address{}, fmt.Errorf("read server address: %s: %w", f.Name(), err)
	}
	return a, nil
}

// RemoveAddress takes a back; a file that is gone, or is another server's, is left alone.
func RemoveAddress(dir string, a Address) error {
	now, err := ReadAddress(dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && (now.PID != a.PID || now.Addr != a.Addr)) {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, addressFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove server address: %w", err)
	}
	return nil
}

// reachable is the address at which a client on this machine reaches a listener: a listener on every interface is
// reached over loopback.
func reachable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return a.String()
	}
	if ap.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), ap.Port()).String()
}
