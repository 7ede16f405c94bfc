package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

const goldens = "../../testdata/compat"

// golden puts the default space of a golden directory where tests have theirs, durably.
func golden(t testing.TB, name string) *vfs.Mem {
	t.Helper()
	fsys := newFS(t)
	root := filepath.Join(goldens, name, "data", "spaces", "space-default")
	err := filepath.WalkDir(root, func(from string, e fs.DirEntry, err error) error {
		to := path.Join(spaceDir, filepath.ToSlash(strings.TrimPrefix(from, root)))
		if err != nil || e.IsDir() {
			return errors.Join(err, fsys.MkdirAll(to), fsys.SyncDir(path.Dir(to)))
		}
		b, err := os.ReadFile(from)
		return errors.Join(err, fsys.SetBytes(to, b))
	})
	err = errors.Join(err, fsys.SyncDir(spaceDir), fsys.SyncDir(spaceDir+"/wal"))
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

// earlierGoldens are the names of the golden directories with a file of an earlier version, oldest first.
func earlierGoldens(t testing.TB) (names []string) {
	t.Helper()
	for _, name := range []string{
		"2026-11-state1", "2026-11-state2", "2026-11", "2026-11-state4", "2026-11-manifest3", "2026-11-manifest4",
		"2026-11-2", "2026-11-segment2",
	} {
		fsys := golden(t, name)
		s := mustOpen(t, fsys)
		if s.Kept() == nil {
			t.Errorf("%s: an earlier version is opened and nothing kept aside", name)
		}
		mustClose(t, s)
		names = append(names, name)
	}
	return names
}

// files are the files of the space by name, with what they hold.
func files(t testing.TB, fsys *vfs.Mem) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range fsys.Files() {
		if rest, ok := strings.CutPrefix(name, spaceDir+"/"); ok {
			b, err := fsys.Bytes(name)
			if err != nil {
				t.Fatal(err)
			}
			out[rest] = string(b)
		}
	}
	return out
}

// unlike says which files differ; "" if none does.
func unlike(want, got map[string]string) string {
	var names []string
	for name := range want {
		if b, there := got[name]; !there || b != want[name] {
			names = append(names, name)
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			names = append(names, "+"+name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// content is everything that a space holds, as text.
func content(v *store.View) string {
	var out bytes.Buffer
	v.Scan(0, func(_ uint32, f store.Found) bool {
		for _, row := range v.Versions(f) {
			r, err := v.Record(row)
			if err != nil {
				fmt.Fprintln(&out, err)
				continue
			}
			text, err := json.Marshal(r)
			fmt.Fprintln(&out, string(text), err)
		}
		fmt.Fprintln(&out, f.ArchivedAt(), f.SupersededBy(), f.Until(), f.Reinforced(), f.Absent())
		return true
	})
	return out.String()
}

// TestUpgradeIsReversible: of every golden directory of an earlier version all is kept aside when it is opened,
// whatever is done with it then; undoing makes it what it was, byte for byte, and finishing removes what was kept.
func TestUpgradeIsReversible(t *testing.T) {
	t.Parallel()
	for _, name := range earlierGoldens(t) {
		fsys := golden(t, name)
		before := files(t, fsys)
		s := mustOpen(t, fsys)
		held := content(s.View())
		b := newBook()
		for i := range 3 {
			b.do(t, s, b.put(fmt.Sprint("new", i)))
			mustSeal(t, s)
		}
		if _, err := s.Compact(context.Background(), store.CompactOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Move(context.Background(), toCold); err != nil {
			t.Fatal(err)
		}
		verified(t, s)
		mustClose(t, s)
		u, err := store.LookUndo(options(fsys))
		if err != nil || u == nil || u.Newer != 3 || u.Unsure != nil || u.Begun {
			t.Fatalf("%s: LookUndo = %+v, %v, want three newer writes", name, u, err)
		}
		if err := store.PutBack(options(fsys)); err != nil {
			t.Fatalf("%s: PutBack = %v", name, err)
		}
		if diff := unlike(before, files(t, fsys)); diff != "" {
			t.Errorf("%s: undone, and these are not what they were: %s", name, diff)
		}
		if err := store.PutBack(options(fsys)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: PutBack again = %v, want ErrNotFound", name, err)
		}
		finished(t, name, fsys, held)
	}
}

// finished upgrades a space, finishes that, and checks that nothing is of an earlier version.
func finished(t *testing.T, name string, fsys *vfs.Mem, held string) {
	t.Helper()
	s := mustOpen(t, fsys)
	if err := s.FinishUpgrade(context.Background()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("%s: FinishUpgrade before all files are of today's version = %v, want ErrConflict", name, err)
	}
	r, err := s.Upgrade(context.Background(), store.UpgradeOptions{})
	if err != nil || len(r.Left) > 0 {
		t.Errorf("%s: Upgrade = %+v, %v", name, r, err)
	}
	if k := s.Kept(); k == nil || k.SizeBytes == 0 {
		t.Errorf("%s: upgraded, and kept aside is %+v", name, k)
	}
	if err := s.FinishUpgrade(context.Background()); err != nil {
		t.Errorf("%s: FinishUpgrade = %v", name, err)
	}
	if s.Kept() != nil {
		t.Errorf("%s: finished, and something is kept", name)
	}
	verified(t, s)
	mustClose(t, s)
	today := map[string]uint32{}
	for _, b := range files(t, freshly(t)) {
		today[b[:8]] = version32(b)
	}
	for file, b := range files(t, fsys) {
		if strings.HasPrefix(file, "before-upgrade") {
			t.Errorf("%s: finished, and %s is there", name, file)
		}
		if strings.HasPrefix(b, "ENGRAM") && version32(b) != today[b[:8]] {
			t.Errorf("%s: finished, and %s is of version %d, today's is %d", name, file, version32(b), today[b[:8]])
		}
	}
	s = mustOpen(t, fsys)
	if earlier, err := s.Earlier(); len(earlier) > 0 || err != nil || s.Kept() != nil {
		t.Errorf("%s: finished, and of an earlier version are %v, %v; kept %v", name, earlier, err, s.Kept())
	}
	if diff := cmp.Diff(held, content(s.View())); diff != "" {
		t.Errorf("%s: finished (-before +now):\n%s", name, diff)
	}
	mustClose(t, s)
}

// TestManifestOfASpaceWithoutALogIsKept: manifests up to version 2 came before the log; one that is alone is written
// anew by the opening itself, and kept aside like any other.
func TestManifestOfASpaceWithoutALogIsKept(t *testing.T) {
	t.Parallel()
	fsys := newFS(t)
	err := errors.Join(fsys.MkdirAll(spaceDir), fsys.SyncDir("/data"))
	old := framed("MF", 1, 0, 0, unhex(t,
		"08000000 00 0000000000000000 0100000000000000 0000000000000000 0000000000000000 00"))
	if err = errors.Join(err, fsys.SetBytes(manifestPath, old)); err != nil {
		t.Fatal(err)
	}
	before := files(t, fsys)
	s := mustOpen(t, fsys)
	if s.Kept() == nil {
		t.Error("nothing is kept aside")
	}
	mustClose(t, s)
	if now := files(t, fsys)["MANIFEST"]; now == string(old) {
		t.Error("the manifest is the one that was: this test tests nothing")
	}
	if err := store.PutBack(options(fsys)); err != nil {
		t.Fatal(err)
	}
	if diff := unlike(before, files(t, fsys)); diff != "" {
		t.Errorf("undone, and these are not what they were: %s", diff)
	}
}

// TestSalvageBesideWhatIsKept: files that were replaced and stay for the way back are not taken for those of the space,
// also where its manifest is lost; an undoing that was interrupted is said to go on.
func TestSalvageBesideWhatIsKept(t *testing.T) {
	t.Parallel()
	fsys := golden(t, earlierGoldens(t)[0])
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("new"))
	if _, err := s.Upgrade(t.Context(), store.UpgradeOptions{}); err != nil {
		t.Fatal(err)
	}
	held := content(s.View())
	mustClose(t, s)
	salvaged := func(disk *vfs.Mem) (string, error) {
		s, err := store.Salvage(options(disk), func(error) {})
		if err != nil {
			return "", err
		}
		defer mustClose(t, s)
		return content(s.View()), nil
	}
	whole := fsys.CrashClone(1, vfs.KeepAll)
	if got, err := salvaged(whole); err != nil || got != held {
		t.Errorf("salvaged: %v; (-held +got)\n%s", err, cmp.Diff(held, got))
	}
	lost := fsys.CrashClone(1, vfs.KeepAll)
	if err := lost.Remove(manifestPath); err != nil {
		t.Fatal(err)
	}
	if got, err := salvaged(lost); err != nil || got != held {
		t.Errorf("salvaged without the manifest: %v; (-held +got)\n%s", err, cmp.Diff(held, got))
	}
	half := fsys.CrashClone(1, vfs.KeepAll)
	list := spaceDir + "/before-upgrade/"
	if err := errors.Join(half.Rename(list+"KEPT", list+"UNDOING"), half.Remove(manifestPath)); err != nil {
		t.Fatal(err)
	}
	if _, err := salvaged(half); !errors.Is(err, codec.ErrCorrupt) || !strings.Contains(err.Error(), "--undo") {
		t.Errorf("salvaged while it is being undone: %v, want what to do", err)
	}
}

// version32 is the version in a file's header.
func version32(file string) uint32 { return binary.LittleEndian.Uint32([]byte(file[8:])) }

// freshly is a space that this version made, with a file of each kind.
func freshly(t *testing.T) *vfs.Mem {
	t.Helper()
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("a"))
	mustSeal(t, s)
	v := s.View()
	f, _, err := v.Lookup("a")
	if err != nil {
		t.Fatal(err)
	}
	v.Need(1, f.Row)
	mustClose(t, s)
	return fsys
}

// TestWithoutRoomAnEarlierVersionIsRead: where the files cannot be kept aside, nothing of the space is changed, and it
// is read.
func TestWithoutRoomAnEarlierVersionIsRead(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for _, name := range earlierGoldens(t) {
		fsys := golden(t, name)
		before := files(t, fsys)
		asked := int64(0)
		refuse := func(o *store.Options) {
			o.Room = func(n int64) error { asked = n; return full }
		}
		s := mustOpen(t, fsys, refuse)
		if asked < 64<<10 {
			t.Errorf("%s: asked for %d bytes of room, the log alone has more", name, asked)
		}
		if content(s.View()) == "" {
			t.Errorf("%s: nothing is read", name)
		}
		b := newBook()
		err := write(s, []action{b.put("new")})
		if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, full) {
			t.Errorf("%s: Write = %v, want read-only, and why", name, err)
		}
		if !errors.Is(s.Health(), full) {
			t.Errorf("%s: Health = %v, want why", name, s.Health())
		}
		mustClose(t, s)
		if diff := unlike(before, files(t, fsys)); diff != "" {
			t.Errorf("%s: read, and these are not what they were: %s", name, diff)
		}
		s = mustOpen(t, fsys)
		b.do(t, s, b.put("new"))
		mustClose(t, s)
	}
}

// TestKeptAsideIsChecked: what is kept is damaged or missing, and undoing is refused with what it is, before anything
// is changed; the space itself goes on.
func TestKeptAsideIsChecked(t *testing.T) {
	t.Parallel()
	name := earlierGoldens(t)[0]
	fsys := golden(t, name)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("new"))
	mustSeal(t, s)
	mustClose(t, s)
	for _, file := range []string{
		"before-upgrade/MANIFEST", "before-upgrade/wal/0000000000000001.wal", "0000000000000001.seg",
		"0000000000000002.state",
	} {
		missing := fsys.CrashClone(1, vfs.KeepAll)
		if err := missing.Remove(spaceDir + "/" + file); err != nil {
			t.Fatal(err)
		}
		tried := []*vfs.Mem{missing}
		if strings.HasPrefix(file, "before-upgrade") {
			damaged := fsys.CrashClone(1, vfs.KeepAll)
			if err := damaged.Corrupt(spaceDir+"/"+file, 100, 1); err != nil {
				t.Fatal(err)
			}
			tried = append(tried, damaged)
		}
		for _, disk := range tried {
			before := files(t, disk)
			_, lookErr := store.LookUndo(options(disk))
			err := store.PutBack(options(disk))
			for _, err := range []error{lookErr, err} {
				if !errors.Is(err, codec.ErrCorrupt) || !strings.Contains(err.Error(), path.Base(file)) {
					t.Errorf("%s damaged or missing: %v, want damage that names it", file, err)
				}
			}
			if diff := unlike(before, files(t, disk)); diff != "" {
				t.Errorf("%s: refused, and changed: %s", file, diff)
			}
			s := mustOpen(t, disk)
			if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) == 0 {
				t.Errorf("%s damaged or missing: Verify = %+v, %v", file, report, err)
			}
			mustClose(t, s)
		}
	}
}

// TestDamagedListCostsTheWayBack: without the list nothing can be put back, which is told, and nothing else is lost;
// finishing takes it away.
func TestDamagedListCostsTheWayBack(t *testing.T) {
	t.Parallel()
	fsys := golden(t, earlierGoldens(t)[0])
	mustClose(t, mustOpen(t, fsys))
	list := spaceDir + "/before-upgrade/KEPT"
	if err := fsys.Corrupt(list, 80, 1); err != nil {
		t.Fatal(err)
	}
	if u, err := store.LookUndo(options(fsys)); err != nil || u == nil {
		t.Errorf("LookUndo with one of two copies of the list = %+v, %v", u, err)
	}
	if err := fsys.Corrupt(list, 4096+80, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := store.LookUndo(options(fsys)); err == nil {
		t.Error("LookUndo without a list = nil")
	}
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("new"))
	if s.Health() == nil || s.Kept() == nil {
		t.Errorf("Health = %v, Kept = %v, want that the list is damaged", s.Health(), s.Kept())
	}
	if _, err := s.Upgrade(context.Background(), store.UpgradeOptions{}); err != nil {
		t.Error(err)
	}
	if err := s.FinishUpgrade(context.Background()); err != nil || s.Kept() != nil {
		t.Errorf("FinishUpgrade = %v, kept is %v", err, s.Kept())
	}
	mustClose(t, s)
	s = mustOpen(t, fsys)
	if err := s.Health(); err != nil {
		t.Errorf("finished, and Health = %v", err)
	}
	mustClose(t, s)
}
