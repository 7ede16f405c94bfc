//go:build faults

package store_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
)

// TestEveryMechanismMatters switches one mechanism of a space off at a time: the tests that it is for must fail then.
func TestEveryMechanismMatters(t *testing.T) {
	matrix := func(name, what, steps string) inject.Mechanism {
		return inject.Mechanism{Name: name, What: what, Tests: "TestFaultMatrix", Env: []string{"ENGRAM_FAULT_STEPS=" + steps}}
	}
	inject.Matter(t,
		matrix("recover", "the boundary that turns a panic into an error", "store/op"),
		matrix("undo", "taking back what a failed write changed in place", "store/append"),
		matrix("void rows", "making the rows of a failed write void for good", "store/append"),
		matrix("publish last", "showing a write to readers only when it is durable", "wal/sync"),
		matrix("take back trim", "keeping a log file in its place that could not be removed", "wal/trim"),
		inject.Mechanism{
			Name: "settle", What: "waiting for what a refusal has seen", Tests: "TestRefusalWaitsForWhatItSaw",
		},
		inject.Mechanism{
			Name: "pins of sealings", What: "sealings waiting for backups", Tests: "TestBackupHoldsFiles",
		},
		inject.Mechanism{
			Name: "pins of compactions", What: "compactions waiting for backups", Tests: "TestBackupHoldsFiles",
		},
		inject.Mechanism{
			Name: "trim bound", What: "keeping the log from where the segments end", Tests: "TestWritesBesideSealings",
		},
		inject.Mechanism{
			Name: "retire", What: "keeping a segment for its last reader", Tests: "TestOldViewAcrossACompaction",
		},
		inject.Mechanism{
			Name: "stop after failure", What: "being read-only after a failed sync", Tests: "TestFailedSyncMakesTheSpaceReadOnly",
		},
		inject.Mechanism{
			Name: "sync log", What: "syncing before acknowledging", Tests: "TestCrashAfterEveryOperation",
		},
		inject.Mechanism{Name: "checksums", What: "checksums", Tests: "TestEveryFlippedBitOfManifestAndState"},
	)
}
