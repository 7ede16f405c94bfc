//go:build faults

package vfs_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
)

// TestEveryMechanismMatters switches one mechanism of the file system off at a time: the tests that it is for must fail
// then.
func TestEveryMechanismMatters(t *testing.T) {
	inject.Matter(t,
		inject.Mechanism{
			Name: "lock", What: "the lock of a directory", Tests: "TestLockExcludesProcesses", Hangs: true,
		},
		inject.Mechanism{
			Name: "panic on fault", What: "turning a memory fault into a panic", Tests: "TestGuardShrunkFile",
		},
	)
}
