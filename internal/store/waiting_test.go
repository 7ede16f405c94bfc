package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/orchard9/engram-go/internal/backup"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestRefusalWaitsForWhatItSaw refuses a write because of another that is not durable yet. Whoever is refused must find
// what refused it; if the log fails instead, nobody knows whether the refusal is right, and the error says so.
func TestRefusalWaitsForWhatItSaw(t *testing.T) {
	taken := errors.New("taken")
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fault := vfs.NewFault(newFS(t))
			release, held := make(chan struct{}), false
			fault.Inject = func(op vfs.Op) error {
				if !held || op.Kind != vfs.OpSyncData {
					return nil
				}
				<-release
				if fails {
					return syscall.EIO
				}
				return nil
			}
			s := mustOpen(t, fault)
			b := newBook()
			put := b.put("x")
			held = true
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { first <- write(s, []action{put}) }()
			synctest.Wait() // it is staged, and waits for the disk
			go func() {
				err := s.Write(t.Context(), "refused", nil, func(tx *store.Tx) error {
					if _, ok, err := tx.Find("x"); err != nil || !ok {
						t.Errorf("Find of what is staged = %v, %v", ok, err)
					}
					return taken
				})
				if _, ok, _ := s.View().Lookup("x"); !ok && !fails {
					t.Error("who was refused does not find what refused it")
				}
				second <- err
			}()
			synctest.Wait()
			select {
			case err := <-second:
				t.Errorf("the refusal did not wait: %v", err)
				second <- err
			default:
			}
			close(release)
			firstErr, secondErr := <-first, <-second
			switch {
			case !fails && (firstErr != nil || !errors.Is(secondErr, taken)):
				t.Errorf("the writes = %v, %v, want the second refused", firstErr, secondErr)
			case fails && (!errors.Is(firstErr, store.ErrInDoubt) || !errors.Is(secondErr, store.ErrReadOnly) ||
				errors.Is(secondErr, taken) || errors.Is(secondErr, store.ErrInDoubt)):
				t.Errorf("the writes on a log that failed = %v, %v", firstErr, secondErr)
			}
			if err := s.Close(); (err != nil) != fails {
				t.Errorf("Close = %v", err)
			}
		})
	}
}

// gate is a writer that waits for release with all but its first write, which is the header of a backup.
type gate struct {
	release chan struct{}
	begun   bool
}

func (g *gate) Write(b []byte) (int, error) {
	if g.begun {
		<-g.release
	}
	g.begun = true
	return len(b), nil
}

// backupBegun begins a backup that waits until release is closed, and then says how it ended.
func backupBegun(t *testing.T, s *store.Space) (release chan struct{}, ended <-chan error) {
	t.Helper()
	release = make(chan struct{})
	outcome := make(chan error, 1)
	stream, err := backup.NewWriter(&gate{release: release})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := s.Backup(t.Context(), stream, 0, store.SideFile{})
		outcome <- err
	}()
	synctest.Wait()
	return release, outcome
}

// TestBackupHoldsFiles seals, or compacts, while a backup is under way: no file goes before it is over, the backup is
// whole, and everything goes then.
func TestBackupHoldsFiles(t *testing.T) {
	seal := func(s *store.Space) error { return s.Seal(context.Background()) }
	compact := func(s *store.Space) error {
		_, err := s.Compact(context.Background(), store.CompactOptions{})
		return err
	}
	for name, work := range map[string]func(*store.Space) error{"seal": seal, "compact": compact} {
		synctest.Test(t, func(t *testing.T) {
			fsys := newFS(t)
			s := mustOpen(t, fsys)
			b := newBook()
			b.do(t, s, b.put("a"), b.put("bb"))
			mustSeal(t, s)
			b.do(t, s, b.put("ccc"), action{kind: "erase", id: "a"})
			files := fsys.Files()
			release, backedUp := backupBegun(t, s)
			worked := make(chan error, 1)
			go func() { worked <- work(s) }()
			synctest.Wait()
			for _, file := range files {
				if strings.HasSuffix(file, ".spare") {
					continue // holds nothing, and becomes the next file of the log
				}
				if _, err := fsys.Bytes(file); err != nil {
					t.Errorf("%s beside a backup: %v", name, err)
				}
			}
			close(release)
			if err := <-backedUp; err != nil {
				t.Errorf("a backup beside %s = %v", name, err)
			}
			if err := <-worked; err != nil {
				t.Errorf("%s beside a backup = %v", name, err)
			}
			mustCompact(t, s)
			for _, file := range fsys.Files() {
				if strings.HasSuffix(file, ".seg") && slices.Contains(files, file) {
					t.Errorf("%s is still there behind the backup", file)
				}
			}
			b.holds(t, name, s)
			mustClose(t, s)
		})
	}
}

// TestFinishingWaitsForBackups: what is kept aside stays while a backup reads, and goes behind it.
func TestFinishingWaitsForBackups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := golden(t, "2026-11-state1")
		s := mustOpen(t, fsys)
		if _, err := s.Upgrade(t.Context(), store.UpgradeOptions{}); err != nil {
			t.Fatal(err)
		}
		kept := fsys.Files()
		release, backedUp := backupBegun(t, s)
		finished := make(chan error, 1)
		go func() { finished <- s.FinishUpgrade(t.Context()) }()
		synctest.Wait()
		for _, file := range kept {
			if _, err := fsys.Bytes(file); err != nil {
				t.Errorf("beside a backup: %v", err)
			}
		}
		close(release)
		if err := errors.Join(<-backedUp, <-finished); err != nil {
			t.Error(err)
		}
		if s.Kept() != nil {
			t.Error("something is kept behind the backup")
		}
		mustClose(t, s)
	})
}
