//go:build faults

package wal_test

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orchard9/engram-go/internal/inject"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/wal"
)

// TestWriterHearsOfASpareThatFailed ends the goroutine that prepares a log file while a writer waits for it: its record
// is refused, nothing was appended, and a later one gets the file that the next try makes.
func TestWriterHearsOfASpareThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, tries := make(chan struct{}), 0
		defer isolate.OnPoint(func(name string) error {
			if name != "wal/spare" {
				return nil
			}
			<-release
			if tries++; tries == 1 {
				runtime.Goexit()
			}
			return nil
		})()
		o := options(newMem(t))
		o.Spares = 1
		l, _, _ := mustOpen(t, o, 0)
		done := make(chan error, 1)
		go func() {
			var refused error
			for l.Stats().Rotations == 0 {
				next := l.Next()
				lsn, err := l.Append(make([]byte, 200))
				if refused == nil && errors.Is(err, wal.ErrFull) && l.Next() == next {
					refused = err
					time.Sleep(time.Minute) // until it is tried again
					continue
				}
				if err == nil {
					err = l.Commit(lsn)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- refused
		}()
		synctest.Wait() // until the writer waits for the file, which waits for us
		select {
		case err := <-done:
			t.Fatalf("the writer did not wait: %v", err)
		default:
		}
		close(release)
		if err := <-done; !errors.Is(err, wal.ErrFull) {
			t.Errorf("a record that needs the file that failed = %v, want it refused, and later ones taken", err)
		}
		mustClose(t, l)
	})
}

// TestEveryMechanismMatters switches one mechanism of the log off at a time: the tests that it is for must fail then.
func TestEveryMechanismMatters(t *testing.T) {
	inject.Matter(t,
		inject.Mechanism{
			Name: "wake waiters", What: "waking who waits for a log file that failed to come",
			Tests: "TestWriterHearsOfASpareThatFailed",
		},
		inject.Mechanism{
			Name: "stop after failure", What: "failing the log with the first operation that fails",
			Tests: "TestPanickingFileSystem",
		},
		inject.Mechanism{Name: "sync log", What: "syncing before acknowledging", Tests: "TestCrashAfterEveryOperation"},
		inject.Mechanism{
			Name: "watermark", What: "the durability watermark in each record",
			Tests: "TestDamageOfAcknowledgedRecordsIsRefused",
		},
		inject.Mechanism{
			Name: "zero recycled", What: "zeroing a file that is used again", Tests: "TestTrimEmptiesRecycledFiles",
		},
		inject.Mechanism{Name: "tell again", What: "telling again what records are of", Tests: "TestLostPages"},
		inject.Mechanism{Name: "marks apart", What: "marks in pages of their own", Tests: "TestLostPages"},
		inject.Mechanism{Name: "mark", What: "the mark behind the last record", Tests: "TestLastRecordIsCovered"},
		inject.Mechanism{Name: "checksums", What: "checksums", Tests: "TestEveryBitFlip"},
		inject.Mechanism{
			Name: "seeds", What: "the file's identity and the place in each checksum",
			Tests: "TestStaleRecordsOfARecycledFile|TestPayloadThatHoldsARecord",
		},
	)
}
