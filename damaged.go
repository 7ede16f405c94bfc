package engram

import (
	"errors"
	"slices"

	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// What a damaged memory costs the answers that it would be in is itself. It is named in them.

// maxDamage is how many errors of memories that could not be read an answer lists.
const maxDamage = 16

// tellDamage adds errors to what an answer says could not be read: what was met twice is told once.
func tellDamage(list []string, errs ...error) []string {
	for _, err := range errs {
		if what := err.Error(); len(list) < maxDamage && !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	return list
}

// passOver keeps the memories out of an answer that are known to be unreadable.
func passOver(v *store.View, f *recall.Filters) {
	if v.AllReadable() {
		return
	}
	keep := f.Keep
	f.Keep = func(row uint32) bool { return v.Readable(row) && (keep == nil || keep(row)) }
}

// rereads bounds how often an answer is begun again because a memory in it turned out to be unreadable. Each time all
// that were met are passed over, so that more than two are rare.
const rereads = 8

// readWhole runs fn, which gives an answer from a view, again as long as it fails for memories that it found out cannot
// be read: they are passed over the next time.
func readWhole(v *store.View, fn func() error) error {
	for tries := 1; ; tries++ {
		noted := v.Noted()
		err := fn()
		if !errors.Is(err, ErrCorrupt) || v.Noted() == noted || tries == rereads {
			return err
		}
	}
}
