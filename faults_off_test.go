//go:build faults

package engram_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
)

// TestEveryMechanismMatters switches one mechanism of a directory off at a time: the tests that it is for must fail
// then.
func TestEveryMechanismMatters(t *testing.T) {
	inject.Matter(t,
		inject.Mechanism{Name: "recover", What: "the boundary around a call", Tests: "TestCallsFailAlone"},
		inject.Mechanism{Name: "budget of rows", What: "the budget of rows", Tests: "TestBudgetOfRows"},
		inject.Mechanism{Name: "budget of bytes", What: "the budget of bytes", Tests: "TestBudgetOfBytes"},
		inject.Mechanism{Name: "budget of memory", What: "the budget of memory", Tests: "TestBudgetOfMemory"},
		inject.Mechanism{Name: "budget of the disk", What: "the budget of the disk", Tests: "TestBudgetOfTheDisk"},
		inject.Mechanism{Name: "budget of spaces", What: "the budget of spaces", Tests: "TestBudgetOfSpaces"},
		inject.Mechanism{Name: "limit of results", What: "the limit of results", Tests: "TestResultLimit"},
		inject.Mechanism{
			Name: "admission of batches", What: "asking for all of a batch before it is staged",
			Tests: "TestBudgetOfRows",
		},
		inject.Mechanism{
			Name: "quarantine", What: "remembering what cannot be read",
			Tests: "TestDamagedMemoriesAreToldAndPassedOver",
		},
		inject.Mechanism{Name: "scrubber", What: "telling what the scrubber finds", Tests: "TestScrubberFindsDamage"},
		inject.Mechanism{
			Name: "pauses of compactions", What: "pauses between compactions that fail",
			Tests: "TestFailingCompactionsBackOff",
		},
		inject.Mechanism{
			Name: "proof of restores", What: "verifying what was restored", Tests: "TestRestoreProvesWhatItBuilt",
		},
		inject.Mechanism{Name: "settle", What: "waiting for what a refusal has seen", Tests: "TestLinearizable\\w*"},
		inject.Mechanism{Name: "copies of lines", What: "reading the copy of a damaged line", Tests: "TestAnyPage"},
		inject.Mechanism{Name: "copies put together", What: "making one copy of two", Tests: "TestAnyPage"},
		inject.Mechanism{Name: "the later copy", What: "taking the later of two manifests", Tests: "TestAnyPage"},
	)
}
