//go:build faults

package segment_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
)

// TestEveryMechanismMatters switches one mechanism of a segment off at a time: the tests that it is for must fail then.
func TestEveryMechanismMatters(t *testing.T) {
	inject.Matter(t,
		inject.Mechanism{Name: "second copies", What: "a second copy of the head", Tests: "TestBothCopiesDamaged"},
		inject.Mechanism{
			Name: "freshness", What: "verifying again what was verified a while ago",
			Tests: "TestDamageUnderAnOpenSegment",
		},
		inject.Mechanism{Name: "packed lengths", What: "asking how much is packed", Tests: "TestLyingLengths"},
		inject.Mechanism{Name: "checksums", What: "checksums", Tests: "TestEveryFlippedBit"},
		inject.Mechanism{
			Name: "copies of lines", What: "reading the copy of a damaged line", Tests: "TestEveryFlippedBit",
		},
		inject.Mechanism{Name: "codes made anew", What: "making damaged codes anew", Tests: "TestEveryFlippedBit"},
		inject.Mechanism{
			Name: "seeds", What: "the file's identity and the place in each checksum",
			Tests: "TestPartsOfAnotherSegment",
		},
	)
}
