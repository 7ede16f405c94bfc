//go:build faults

package wal_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/orchard9/engram-go/internal/inject"
	"github.com/orchard9/engram-go/internal/isolate"
)

// TestRotationHearsOfASpareThatFailed ends the goroutine that prepares a log file while a rotation waits for it.
func TestRotationHearsOfASpareThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer isolate.OnPoint(func(name string) error {
			if name == "wal/spare" {
				<-release
				runtime.Goexit()
			}
			return nil
		})()
		o := options(newMem(t))
		o.Spares = 1
		l, _, _ := mustOpen(t, o, 0)
		done := make(chan error, 1)
		go func() {
			for l.Stats().Rotations == 0 {
				lsn, err := l.Append(make([]byte, 200))
				if err == nil {
					err = l.Commit(lsn)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		synctest.Wait() // until the rotation waits for the file, which waits for us
		select {
		case err := <-done:
			t.Fatalf("the rotation did not wait: %v", err)
		default:
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("the rotation behind a file that failed = %v", err)
		}
		mustClose(t, l)
	})
}

// TestEveryMechanismMatters switches one mechanism of the log off at a time: the tests that it is for must fail then.
func TestEveryMechanismMatters(t *testing.T) {
	inject.Matter(t,
		inject.Mechanism{Name: "wake waiters", What: "waking who waits for a log file that failed to come", Tests: "TestRotationHearsOfASpareThatFailed"},
		inject.Mechanism{Name: "stop after failure", What: "failing the log with the first operation that fails", Tests: "TestPanickingFileSystem"},
		inject.Mechanism{Name: "sync log", What: "syncing before acknowledging", Tests: "TestCrashAfterEveryOperation"},
		inject.Mechanism{Name: "watermark", What: "the durability watermark in each record", Tests: "TestDamageOfAcknowledgedRecordsIsRefused"},
		inject.Mechanism{Name: "zero recycled", What: "zeroing a file that is used again", Tests: "TestTrimEmptiesRecycledFiles"},
		inject.Mechanism{Name: "mark", What: "the mark behind the last record", Tests: "TestLastRecordIsCovered"},
		inject.Mechanism{Name: "checksums", What: "checksums", Tests: "TestEveryBitFlip"},
		inject.Mechanism{Name: "seeds", What: "the file's identity and the place in each checksum", Tests: "TestStaleRecordsOfARecycledFile|TestPayloadThatHoldsARecord"},
	)
}
