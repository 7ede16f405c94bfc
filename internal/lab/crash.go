package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	engram "github.com/orchard9/engram-go"
)

// cutOff is C3. What a kill leaves behind is the directory as it is: it is copied before each cluster is written, and
// of each two copies that follow each other the later one again with its last write torn at some byte.
func cutOff(b *bench, dropped bool) (f finding, err error) {
	images, err := b.passImages()
	if err != nil {
		return f, err
	}
	torn := 0
	for i, image := range images.dirs {
		torn += len(image.tears)
		for n, tear := range append([]int64{-1}, image.tears...) {
			whole, name := i, fmt.Sprintf("after %d clusters", i) // clusters that must be written
			if tear >= 0 {
				whole, name = i-1, fmt.Sprintf("in cluster %d, tear %d", i-1, n)
			}
			wrong, err := images.look(b, fmt.Sprintf("%s, uncited %v", name, dropped), &image, tear, dropped, whole)
			if err != nil {
				return f, err
			}
			f.misses = append(f.misses, wrong...)
		}
	}
	f.misses = shortened(f.misses)
	f.engine = fmt.Sprintf("%d directories of a pass over %d clusters, and %d with a torn write, opened",
		len(images.dirs),
		len(images.clusters), torn)
	f.check(torn > len(images.clusters), "only %d writes were torn: the row shows nothing", torn)
	return f, nil
}

// passImages are the directories of one pass.
type passImages struct {
	clusters []engram.Concept // in the order in which they were written
	dirs     []passImage
}

type passImage struct {
	dir   string
	tears []int64 // offsets in the log at which the last write is torn
}

// passImages runs a pass and copies the directory before each cluster, and at the end.
func (b *bench) passImages() (out passImages, err error) {
	name := fmt.Sprint("crash-", len(b.dbs), "-", b.spaces)
	db, err := b.open(name)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return out, err
	}
	b.spaces++
	s := &subject{b: b, s: space}
	const clusters, members, once, seed = 8, 3, 10, 3
	s.restate(restatements(rand.New(rand.NewPCG(seed, 5)), clusters, members, once))
	s.day(100)
	take := func() error {
		dir := fmt.Sprint(name, "-image-", len(out.dirs))
		out.dirs = append(out.dirs, passImage{dir: dir})
		return copyStore(filepath.Join(b.dir, dir), filepath.Join(b.dir, name))
	}
	summarize := func(_ context.Context, members []engram.Memory) (string, error) { return members[0].Content, take() }
	report := s.consolidate(engram.ConsolidateOptions{Summarize: summarize})
	if s.err != nil || len(report.Problems) > 0 {
		return out, errors.Join(s.err, fmt.Errorf("problems: %v", report.Problems))
	}
	out.clusters = report.Concepts
	if err := take(); err != nil {
		return out, err
	}
	r := rand.New(rand.NewPCG(seed, 6))
	for i := 1; i < len(out.dirs); i++ {
		from, to, err := b.written(out.dirs[i-1].dir, out.dirs[i].dir)
		if err != nil {
			return out, err
		}
		const cuts = 2
		for range cuts {
			out.dirs[i].tears = append(out.dirs[i].tears, from+1+r.Int64N(to-from-1))
		}
	}
	return out, nil
}

// copyStore copies a directory of a database in use: all but its lock.
func copyStore(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || d.Name() == "LOCK" {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}

// log is the one log file of the default space in a directory of the bench's.
func (b *bench) log(dir string) (string, error) {
	paths, err := filepath.Glob(filepath.Join(b.dir, dir, "spaces", "space-"+engram.DefaultSpace, "wal", "*.wal"))
	if err == nil && len(paths) != 1 {
		err = fmt.Errorf("the space has %d log files, want one", len(paths))
	}
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

// written is where in the log the later of two directories has the record that the earlier one has not. What the log
// may say of it behind it is left out: a tear there leaves the record whole. docs/format/log.md.
func (b *bench) written(earlier, later string) (from, to int64, err error) {
	var data [2][]byte
	for i, dir := range []string{earlier, later} {
		path, err := b.log(dir)
		if err != nil {
			return 0, 0, err
		}
		if data[i], err = os.ReadFile(path); err != nil {
			return 0, 0, err
		}
	}
	from = -1
	end := len(data[1]) // of the record
	for i := range data[1] {
		if i < len(data[0]) && data[0][i] == data[1][i] || i >= end {
			continue
		}
		if from < 0 {
			const align, header = 8, 32
			start := i &^ (align - 1)
			from, end = int64(i), start+header+int(binary.LittleEndian.Uint32(data[1][start:]))
		}
		to = int64(i) + 1
	}
	if from < 0 || to-from < 3 {
		return 0, 0, errors.New("a cluster was written and the log is the same")
	}
	return from, to, nil
}

// look opens a copy of an image, of which the log is torn at some offset if that is not below 0, and tells what is
// wrong with it: so many clusters must be written, each whole, and no other begun.
func (p *passImages) look(b *bench, name string, image *passImage, tear int64, dropped bool,
	whole int,
) (wrong []string, err error) {
	if err := copyStore(filepath.Join(b.dir, name), filepath.Join(b.dir, image.dir)); err != nil {
		return nil, err
	}
	if tear >= 0 {
		path, err := b.log(name)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		clear(data[tear:])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
	}
	db, err := b.open(name)
	if err != nil {
		return nil, fmt.Errorf("open what is left of a pass: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return nil, err
	}
	s := &subject{b: b, s: space}
	if dropped {
		if s, err = s.uncited(); err != nil {
			return nil, err
		}
	}
	for i := range p.clusters {
		state := s.clusterState(&p.clusters[i])
		wanted := "as it was"
		if i < whole {
			wanted = "consolidated"
		}
		if state != wanted {
			wrong = append(wrong, fmt.Sprintf("%s: cluster %d is %s, want %s", name, i, state, wanted))
		}
	}
	return wrong, s.err
}

// clusterState tells what became of a cluster.
func (s *subject) clusterState(c *engram.Concept) string {
	archived, cited := 0, 0
	for _, id := range c.Members {
		m := s.get(id)
		if !m.ArchivedAt.IsZero() {
			archived++
		}
		if slices.ContainsFunc(m.Links, func(l engram.Association) bool {
			return l.Type == engram.LinkConsolidates && l.Incoming && l.To == c.ID
		}) {
			cited++
		}
	}
	switch {
	case archived == 0 && cited == 0:
		return "as it was"
	case archived == len(c.Members) && cited == archived:
		return "consolidated"
	}
	return fmt.Sprintf("torn: of %d members %d are archived and %d cited", len(c.Members), archived, cited)
}
