package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
)

// UpgradeOptions say how to upgrade. The zero value goes as fast as it can.
type UpgradeOptions struct {
	// Pace and Progress are as in CompactOptions.
	Pace     func(bytes int) error
	Progress func(CompactReport)
}

// Upgrade writes every file of an earlier format version anew in today's, and begins the log anew. Reads and writes go
// on, and answers are the same before and after. What was kept aside stays: see FinishUpgrade. An error leaves what was
// done so far, which is whole.
func (s *Space) Upgrade(ctx context.Context, o UpgradeOptions) (report CompactReport, err error) {
	if err = s.alone(ctx, func() error { return s.upgrade(ctx, o, &report) }); err != nil {
		return report, fmt.Errorf("upgrade space %s: %w", s.name, err)
	}
	return report, nil
}

func (s *Space) upgrade(ctx context.Context, o UpgradeOptions, report *CompactReport) error {
	if earlier, err := s.Earlier(); err != nil || len(earlier) == 0 {
		return err
	}
	if err := s.writableNow(); err != nil {
		return err
	}
	if err := isolate.Fault("store/upgrade.rotate"); err != nil {
		return err
	}
	last, err := s.log.Rotate()
	if err != nil {
		return err
	}
	if err := s.Seal(ctx); err != nil {
		return err
	}
	co := CompactOptions{Pace: o.Pace, Progress: o.Progress}
	if err := s.rebuild(ctx, s.nextEarlier, co, report); err != nil {
		return err
	}
	if v := s.View(); slices.ContainsFunc(*v.partsNow(), func(p part) bool { return old(p) && s.stuck(v, p) }) {
		report.Left = append(report.Left, v.apartDamage(v.serving))
	}
	if err := s.compactApart(ctx, co, true, report); err != nil {
		return err
	}
	man := s.manifestNow()
	if man.version < manifestVersion || man.state.number != 0 && man.state.version < stateVersion {
		if err := s.commit(ctx, nil); err != nil {
			return err
		}
	}
	if version, err := s.versionOf(needName, needKind); err != nil || version > 0 && version < needVersion {
		s.needNew.Store(true)
		if err = errors.Join(err, s.saveNeed()); err != nil {
			return err
		}
	}
	return s.dropLog(ctx, last)
}

// old reports whether a part is in a segment of an earlier version.
func old(p part) bool { return p.sealed != nil && p.sealed.Version() < segment.FormatVersion }

// nextEarlier finds the first segment of an earlier version from row base on, and the row behind it; nil if there is
// none. A segment stays in its tier.
func (s *Space) nextEarlier(base uint32, damaged map[*segment.Sealed]bool) (*group, uint32) {
	v := s.View()
	for _, p := range *s.parts.Load() {
		if p.base >= base && old(p) && !damaged[p.sealed] && !s.stuck(v, p) {
			g := &group{}
			g.add(p, p.sealed.Tier())
			return g, p.base + p.sealed.Rows()
		}
	}
	return nil, 0
}

// FinishUpgrade removes what is kept aside of the space as it was before: there is no way back from then on. It is
// refused with ErrConflict while a file is of an earlier version. It waits for backups that read files.
func (s *Space) FinishUpgrade(ctx context.Context) error {
	if err := s.alone(ctx, func() error { return s.finishUpgrade(ctx) }); err != nil {
		return fmt.Errorf("finish the upgrade of space %s: %w", s.name, err)
	}
	return nil
}

func (s *Space) finishUpgrade(ctx context.Context) error {
	name, left, err := s.asideNow()
	if err != nil || name == "" && !left {
		return err
	}
	earlier, err := s.Earlier()
	if err == nil && len(earlier) > 0 {
		err = fmt.Errorf("files are still of an earlier version, and what was kept aside may be the only whole copy: "+
			"%s: %w", strings.Join(earlier, ", "), ErrConflict)
	}
	if err == nil {
		err = s.writableNow()
	}
	if err != nil {
		return err
	}
	for {
		done, err := s.tryFinish()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a backup reads files: %w", ctx.Err())
		case <-time.After(pollFiles):
		}
	}
}

// tryFinish removes what is kept aside, copies first: what stays for it in its place is a leftover then.
func (s *Space) tryFinish() (done bool, err error) {
	s.filesMu.Lock()
	defer s.filesMu.Unlock()
	if s.pins > 0 && !isolate.Off("pins of finishing") {
		return false, nil
	}
	if err := s.dropAside(keptName); err != nil {
		return false, err
	}
	named := s.manifestNow().names()
	for name := range s.aside.Load().inPlace() {
		if !named[name] {
			s.litter = append(s.litter, filepath.Join(s.dir, name))
		}
	}
	s.aside.Store(nil)
	s.forget(func(path string) bool { return filepath.Dir(path) == s.asidePath("") })
	return true, s.sweep()
}
