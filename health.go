package engram

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// Ready is nil if every open space takes writes and serves all it holds, no space failed to open, and what runs in the
// background works; else it says what does not and why. It waits for no call in progress.
func (db *DB) Ready() error {
	if db.isClosed() {
		return ErrClosed
	}
	errs := db.troubles.of("")
	open := map[string]*handle{}
	names := db.troubles.spaces()
	for _, p := range db.ScrubReport().Problems {
		names = append(names, p.Space)
	}
	for h := range db.handles.all() {
		open[h.name] = h
		names = append(names, h.name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		var space *store.Space
		h := open[name]
		if h != nil && h.acquireOpen() {
			space = h.space
		}
		for _, err := range db.health(name, space) {
			errs = append(errs, fmt.Errorf("space %s: %w", name, err))
		}
		if space != nil {
			h.refs.Add(-1)
		}
	}
	return errors.Join(errs...)
}

// health lists why a space does not take writes or does not serve all it holds, and what failed of the work on it that
// nobody waits for: what Ready and Stats tell. sp is nil if it is not open. It does not wait for writers.
func (db *DB) health(name string, sp *store.Space) []error {
	var errs []error
	if sp != nil {
		errs = sp.Troubles()
		if err := db.models.damage(name); err != nil {
			errs = append(errs, err)
		}
	}
	found := slices.DeleteFunc(db.ScrubReport().Problems, func(p ScrubProblem) bool { return p.Space != name })
	if len(found) > 0 {
		errs = append(errs, fmt.Errorf("the scrubber found %d problems, such as in %s at %d: %s: %w",
			len(found), found[0].File, found[0].Offset, found[0].What, ErrCorrupt))
	}
	if work, err := db.consolidations.told(name); err != nil && sp != nil {
		errs = append(errs, fmt.Errorf("consolidate in the background, next try %s: %w",
			work.NextTry.Format(time.RFC3339), err))
	}
	if work, err := db.compactor.works.told(name); err != nil && sp != nil {
		errs = append(errs, fmt.Errorf("compact in the background, next try %s: %w",
			work.NextTry.Format(time.RFC3339), err))
	}
	return append(errs, db.troubles.of(name)...)
}
