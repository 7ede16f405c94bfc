//go:build faults

package store_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
)

// TestEveryMechanismMatters switches one mechanism of a space off at a time: the tests that it is for must fail then.
func TestEveryMechanismMatters(t *testing.T) {
	matrix := func(name, what, steps string) inject.Mechanism {
		return inject.Mechanism{
			Name: name, What: what, Tests: "TestFaultMatrix", Env: []string{"ENGRAM_FAULT_STEPS=" + steps},
		}
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
			Name: "pins of finishing", What: "finishing an upgrade waiting for backups",
			Tests: "TestFinishingWaitsForBackups",
		},
		inject.Mechanism{
			Name: "keep aside", What: "keeping aside what a space was before an upgrade",
			Tests: "TestUpgradeIsReversible",
		},
		inject.Mechanism{
			Name: "keep in place", What: "leaving replaced files to the way back", Tests: "TestUpgradeIsReversible",
		},
		inject.Mechanism{
			Name: "trim bound", What: "keeping the log from where the segments end", Tests: "TestWritesBesideSealings",
		},
		inject.Mechanism{
			Name: "retire", What: "keeping a segment for its last reader", Tests: "TestOldViewAcrossACompaction",
		},
		inject.Mechanism{
			Name: "stop after failure", What: "being read-only after a failed sync",
			Tests: "TestFailedSyncMakesTheSpaceReadOnly",
		},
		inject.Mechanism{
			Name: "sync log", What: "syncing before acknowledging", Tests: "TestCrashAfterEveryOperation",
		},
		inject.Mechanism{
			Name: "back-pressure", What: "writers waiting for sealing",
			Tests: "TestWritersWaitNoLongerThanTheirContext",
		},
		inject.Mechanism{
			Name: "limit of what is unsealed", What: "refusing writes that sealing cannot follow",
			Tests: "TestSealingFailsUntilMemoryIsUsedUp",
		},
		inject.Mechanism{
			Name: "longer pauses", What: "pauses that grow with each failed sealing", Tests: "TestSealingBacksOff",
		},
		inject.Mechanism{
			Name: "states of sealings", What: "keeping the states that a sealing is writing",
			Tests: "TestSealingAtAnOldPosition",
		},
		inject.Mechanism{
			Name: "second copies", What: "a second copy of manifest, state and segment heads",
			Tests: "TestMendedManifestAndState|TestMendedSegmentFile",
		},
		inject.Mechanism{
			Name: "quarantine", What: "remembering what cannot be read", Tests: "TestDamageThatCostsIsLeftAlone",
		},
		inject.Mechanism{
			Name: "rescue", What: "opening beside damaged records of the log", Tests: "TestDamagedLogRecords",
		},
		inject.Mechanism{Name: "noted end", What: "noting where the log ends", Tests: "TestOlderLog"},
		inject.Mechanism{
			Name: "position in frames", What: "the position in the checksums of a frame",
			Tests: "TestDamagedLogMixedUp",
		},
		inject.Mechanism{Name: "missing log", What: "missing a log that is gone", Tests: "TestMissingLog"},
		inject.Mechanism{
			Name: "older copies", What: "comparing with files that the manifest does not name",
			Tests: "TestStaleManifestAndLog",
		},
		inject.Mechanism{
			Name: "leftovers beside damage", What: "keeping what nobody names beside damage",
			Tests: "TestLeftoversStayBesideDamage",
		},
		inject.Mechanism{
			Name: "named files", What: "keeping files that a manifest may name", Tests: "TestEveryOperationFails",
		},
		inject.Mechanism{Name: "checksums", What: "checksums", Tests: "TestEveryFlippedBitOfManifestAndState"},
	)
}
