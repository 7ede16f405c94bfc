package engram_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

func TestRepairSavesWhatIsWhole(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, fs *vfs.Mem)
		gone   []string // memories that cannot be saved
		loses  bool
		opens  bool // the space as it is can be opened
	}{
		{name: "nothing", damage: func(*testing.T, *vfs.Mem) {}, opens: true},
		{
			name: "a record in a segment", gone: []string{"m7"}, loses: true, opens: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				spoil(t, fs, files(t, fs, dataSpace, ".seg")[0], "marker-m7-end")
			},
		},
		{
			name: "a record in the middle of the log", gone: []string{"m24"}, loses: true, opens: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				spoil(t, fs, files(t, fs, dataSpace+"/wal", ".wal")[0], "marker-m24-end")
			},
		},
		{
			name: "the manifest, both copies", loses: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				edit(t, fs, dataSpace+"/MANIFEST", func(b []byte) { b[70] ^= 1; b[4096+70] ^= 1 })
			},
		},
		{
			name: "one copy of the manifest and one of the state file", opens: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				edit(t, fs, dataSpace+"/MANIFEST", func(b []byte) { b[70] ^= 1 })
				edit(t, fs, files(t, fs, dataSpace, ".state")[0], func(b []byte) { b[len(b)-1] ^= 1 })
			},
		},
		{
			name: "the manifest is gone", loses: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				if err := fs.Remove(dataSpace + "/MANIFEST"); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "the log is gone", gone: strings.Fields("m20 m21 m22 m23 m24 m25 m26 m27 m28 m29"), loses: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				for _, name := range append(files(t, fs, dataSpace+"/wal", ""), dataSpace+"/wal") {
					if err := fs.Remove(name); err != nil {
						t.Fatal(err)
					}
				}
			},
		},
		{
			name: "the state file, both copies", loses: true,
			damage: func(t *testing.T, fs *vfs.Mem) {
				edit(t, fs, files(t, fs, dataSpace, ".state")[0], func(b []byte) { b[70] ^= 1; b[len(b)-1] ^= 1 })
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs, o := damagedSpace(t)
			c.damage(t, fs)
			before := tree(t, fs, "/data/spaces")
			report, err := o.On(fs).Repair(t.Context(), "/data", "/repaired")
			if err != nil {
				t.Fatalf("Repair = %v", err)
			}
			if lost := report.Spaces[0].LostCount > 0; lost != c.loses {
				t.Errorf("Repair lost %q, want losses %v", report.Spaces[0].Lost, c.loses)
			}
			if diff := cmp.Diff(before, tree(t, fs, "/data/spaces")); diff != "" {
				t.Errorf("Repair changed the damaged directory (-before +after):\n%s", diff)
			}
			db, err := o.On(fs).Open("/repaired")
			if err != nil {
				t.Fatalf("Open of what was repaired = %v", err)
			}
			defer db.Close()
			s, err := db.Space(engram.DefaultSpace)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 30 {
				id := fmt.Sprint("m", i)
				m, err := s.Get(t.Context(), id)
				switch want := fmt.Sprintf("harbour note %d marker-%s-end", i, id); {
				case err == nil && m.Content != want:
					t.Errorf("Get(%s) = %q, want %q", id, m.Content, want)
				case err != nil && !strings.Contains(strings.Join(c.gone, " ")+" ", id+" "):
					t.Errorf("Get(%s) = %v: it was whole", id, err)
				case err == nil && strings.Contains(strings.Join(c.gone, " ")+" ", id+" "):
					t.Errorf("Get(%s) = %q: it was damaged", id, m.Content)
				}
			}
			if verify, err := s.Verify(t.Context()); err != nil || len(verify.Problems) > 0 {
				t.Errorf("Verify of what was repaired = %+v, %v", verify, err)
			}
			damaged, err := o.On(fs).Open("/data")
			if err != nil {
				t.Fatal(err)
			}
			defer damaged.Close()
			if s, err = damaged.Space(engram.DefaultSpace); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stats(t.Context()); c.opens != (err == nil) {
				t.Errorf("Stats of the damaged space = %v, want it to open: %v", err, c.opens)
			}
		})
	}
}

// TestRepairOfADamagedUpdate damages the record of an update. The version before it is saved, and archived: it must not
// be taken for what holds. Where the record's head alone is damaged the update is saved, and nothing is lost.
func TestRepairOfADamagedUpdate(t *testing.T) {
	for _, head := range []bool{false, true} {
		w := newWorld(t, engram.Options{})
		s := w.def()
		remember(t, s, engram.Draft{ID: "a", Content: "The door is open."})
		remember(t, s, engram.Draft{ID: "b", Content: "The window is open."})
		_, err := s.Update(t.Context(), "a", engram.Change{Content: new("The door is shut."), Reason: "wind"})
		if err != nil {
			t.Fatal(err)
		}
		remember(t, s, engram.Draft{ID: "c", Content: "The roof is on."})
		fs := w.fs.CrashClone(1, vfs.KeepAll)
		edit(t, fs, files(t, fs, dataSpace+"/wal", ".wal")[0], func(b []byte) {
			at := bytes.Index(b, []byte("The door is shut."))
			if head {
				at = 128 // of the first record, docs/format/log.md
				for range 2 {
					at += 32 + (int(binary.LittleEndian.Uint32(b[at:]))+7)&^7
				}
			}
			b[at] ^= 4
		})
		report, err := w.o.On(fs).Repair(t.Context(), "/data", "/repaired")
		if err != nil || (report.Spaces[0].LostCount > 0) == head || report.Spaces[0].Memories != 3 {
			t.Fatalf("head %v: Repair = %+v, %v", head, report, err)
		}
		db, err := w.o.On(fs).Open("/repaired")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		repaired, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		got, err := repaired.Get(t.Context(), "a")
		wantContent := map[bool]string{false: "The door is open.", true: "The door is shut."}[head]
		if err != nil || got.Content != wantContent || got.ArchivedAt.IsZero() != head {
			t.Errorf("head %v: Get(a) = %+v, %v, want %q, archived: %v", head, got, err, wantContent, !head)
		}
		for _, id := range []string{"b", "c"} {
			if m, err := repaired.Get(t.Context(), id); err != nil || !m.ArchivedAt.IsZero() {
				t.Errorf("head %v: Get(%s) = %+v, %v", head, id, m, err)
			}
		}
	}
}

// TestRepairAnyFlip flips bits anywhere: what is saved is right, byte for byte, and Repair never fails or panics.
func TestRepairAnyFlip(t *testing.T) {
	for _, tier := range []engram.Tier{engram.TierWarm, engram.TierCold} {
		t.Run(string(tier), func(t *testing.T) { repairAnyFlip(t, tier) })
	}
}

func repairAnyFlip(t *testing.T, tier engram.Tier) {
	const seed = 21
	rng := rand.New(rand.NewPCG(seed, 1))
	base, o := damagedSpaceIn(t, tier)
	all := tree(t, base, dataSpace)
	var paths []string
	for _, dir := range []string{dataSpace, dataSpace + "/wal"} {
		for _, path := range files(t, base, dir, "") {
			if _, ok := all[path]; ok {
				paths = append(paths, path)
			}
		}
	}
	lost, saved := 0, 0
	for range 150 {
		fs := base.CrashClone(1, vfs.KeepAll)
		path := paths[rng.IntN(len(paths))]
		at := rng.IntN(len(all[path]))
		edit(t, fs, path, func(b []byte) { b[at] ^= 1 << rng.IntN(8) })
		report, err := o.On(fs).Repair(t.Context(), "/data", "/repaired")
		if err != nil {
			t.Fatalf("seed %d: Repair after a flip at %s:%d = %v", seed, path, at, err)
		}
		lost += report.Spaces[0].LostCount
		db, err := o.On(fs).Open("/repaired")
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for i := range 30 {
			id := fmt.Sprint("m", i)
			m, err := s.Get(t.Context(), id)
			if err == nil {
				found++
				if want := fmt.Sprintf("harbour note %d marker-%s-end", i, id); m.Content != want {
					t.Fatalf("seed %d: after a flip at %s:%d Get(%s) = %q", seed, path, at, id, m.Content)
				}
			} else if !errors.Is(err, engram.ErrNotFound) {
				t.Fatalf("seed %d: after a flip at %s:%d Get(%s) = %v", seed, path, at, id, err)
			}
		}
		if found < 29 && report.Spaces[0].LostCount == 0 {
			t.Fatalf("seed %d: after a flip at %s:%d only %d memories are there and nothing is told as lost",
				seed, path, at, found)
		}
		saved += found
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if lost == 0 || saved < 150*29 {
		t.Errorf("seed %d: 150 flips: %d losses told, %d of %d memories saved", seed, lost, saved, 150*30)
	}
}

func TestRepairRefuses(t *testing.T) {
	fs, o := damagedSpace(t)
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"/nowhere", "/x", engram.ErrNotFound},
		{"/data", "/data", engram.ErrInvalid},
		{"/data", "/data/inside", engram.ErrInvalid},
	} {
		if _, err := o.On(fs).Repair(t.Context(), c.from, c.to); !errors.Is(err, c.want) {
			t.Errorf("Repair(%s, %s) = %v, want %v", c.from, c.to, err, c.want)
		}
	}
	if _, err := o.On(fs).Repair(t.Context(), "/data", "/x"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.On(fs).Repair(t.Context(), "/data", "/x"); !errors.Is(err, engram.ErrConflict) {
		t.Errorf("Repair into a directory that is not empty = %v, want ErrConflict", err)
	}
	db, err := o.On(fs).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := o.On(fs).Repair(t.Context(), "/data", "/y"); !errors.Is(err, engram.ErrLocked) {
		t.Errorf("Repair of a directory in use = %v, want ErrLocked", err)
	}
}

// TestRepairTellsOfItsProgress: each space from its beginning, then every hundred memories, and the report is the end.
// TestRepairSavesWhatAnExportWrites repairs a space that nothing is wrong with, from both tiers and from the log: its
// export is the same afterwards, line by line.
func TestRepairSavesWhatAnExportWrites(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	sure := .9
	for i := range 12 {
		d := engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprintf("harbour note %d", i), Session: "s", Speaker: "Ada",
			Source: fmt.Sprint("source ", i%3), IdempotencyKey: fmt.Sprint("key ", i),
			Metadata: map[string]string{"n": "1"},
		}
		if i%2 == 0 {
			d.Embedding, d.EmbeddingModel, d.Confidence = make8(float32(i)), "e5", &sure
		}
		switch i {
		case 5:
			d.Links = []engram.Link{{To: "m1", Type: "causes"}}
		case 6:
			d.Supersedes, d.Contradicts = []string{"m2"}, []string{"m3"}
		}
		remember(t, s, d)
		if i == 7 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	content := "harbour note 8, corrected"
	if _, err := s.Update(t.Context(), "m8", engram.Change{Content: &content, Reason: "tide"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m9"}}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Feedback(t.Context(), engram.Feedback{Wrong: []string{"m10"}, Source: "Bo", Verified: true})
	if err != nil {
		t.Fatal(err)
	}
	lines := func(s *engram.Space) []string {
		t.Helper()
		var b bytes.Buffer
		if _, err := s.Export(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		all := strings.Split(b.String(), "\n")
		slices.Sort(all)
		return all
	}
	before := lines(s)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := w.o.On(w.fs).Repair(t.Context(), "/data", "/repaired")
	if err != nil || report.Spaces[0].LostCount != 0 {
		t.Fatalf("Repair = %+v, %v, want nothing lost", report, err)
	}
	repaired, err := w.o.On(w.fs).Open("/repaired")
	if err != nil {
		t.Fatal(err)
	}
	defer repaired.Close()
	if s, err = repaired.Space(engram.DefaultSpace); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, lines(s)); diff != "" {
		t.Errorf("the export of what was repaired differs (-before +after):\n%s", diff)
	}
	w.open()
}

// TestRepairSaysThatNobodyNamesTheModel takes away all that says which model made the embeddings.
func TestRepairSaysThatNobodyNamesTheModel(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "a buoy", Embedding: make8(1), EmbeddingModel: "e5"})
	if err := w.def().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	fs := w.fs.CrashClone(1, vfs.KeepAll)
	w.open()
	for _, path := range append(files(t, fs, dataSpace, ".state"), dataSpace+"/MANIFEST") {
		if err := fs.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	report, err := w.o.On(fs).Repair(t.Context(), "/data", "/repaired")
	if err != nil || report.Spaces[0].Memories != 1 {
		t.Fatalf("Repair = %+v, %v", report, err)
	}
	if lost := strings.Join(report.Spaces[0].Lost, "\n"); !strings.Contains(lost, "which model made the embeddings") {
		t.Errorf("Repair lost:\n%s\nand does not say that the model's name is", lost)
	}
}

func TestRepairTellsOfItsProgress(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for i := range 250 {
		remember(t, w.def(), engram.Draft{Content: fmt.Sprint("note ", i)})
	}
	remember(t, w.space("other"), engram.Draft{Content: "elsewhere"})
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	var told []string
	how := engram.RepairOptions{Progress: func(r engram.RepairReport) {
		one := r.Spaces[len(r.Spaces)-1]
		told = append(told, fmt.Sprint(len(r.Spaces), one.Space, one.Memories))
	}}
	report, err := w.o.On(w.fs).RepairWith(t.Context(), "/data", "/repaired", how)
	if want := []string{"1default0", "1default100", "1default200", "2other0"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("Repair = %v, told of %q, want %q", err, told, want)
	}
	if len(report.Spaces) != 2 || report.Spaces[0].Memories != 250 || report.Spaces[1].Memories != 1 {
		t.Errorf("Repair = %+v", report)
	}
	w.open()
}
