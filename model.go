package engram

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/fit"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// models holds what was fitted for each open space: weights of forgetting, coefficients of terms. Looking takes no
// lock.
type models struct {
	usual  *faded
	off    []dynamics.Mechanism // what every model is without
	mu     sync.Mutex           // held to replace
	fitted atomic.Pointer[map[string]fitted]
}

// faded is how memories fade, with what it makes of one that nobody used as answers show it.
type faded struct {
	*dynamics.Model
	fresh dynamics.Strength
}

func newFaded(m *dynamics.Model) *faded {
	x := m.Initial(dynamics.Good)
	return &faded{m, dynamics.Strength{
		Stability: weight64(float32(x.Stability)), Difficulty: weight64(float32(x.Difficulty)),
	}}
}

// fitted is what was learnt, ready for use.
type fitted struct {
	model        *faded
	weights      dynamics.Weights
	coefficients map[string]float64 // nil if none were learnt; nobody writes to it
	file         *modelFile         // nor to it
	damage       error              // why there is no file although there is one: the space goes by the default
}

func newModels(off []dynamics.Mechanism) *models {
	m := &models{usual: newFaded(dynamics.New(dynamics.DefaultWeights()).Without(off...)), off: off}
	m.fitted.Store(&map[string]fitted{})
	return m
}

// set makes f what a space goes by; nil is the default.
func (m *models) set(space string, f *modelFile) {
	if f == nil {
		m.replace(space, fitted{})
		return
	}
	w := dynamics.Weights(f.Weights)
	m.replace(space, fitted{
		model: newFaded(dynamics.New(w).Without(m.off...)), weights: w, coefficients: f.coefficients(), file: f,
	})
}

// setDamaged makes a space go by the default because its file is damaged.
func (m *models) setDamaged(space string, damage error) {
	m.replace(space, fitted{model: m.usual, weights: dynamics.DefaultWeights(), damage: damage})
}

// replace replaces what is known of a space; without a model nothing is.
func (m *models) replace(space string, f fitted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := maps.Clone(*m.fitted.Load())
	if f.model == nil {
		delete(next, space)
	} else {
		next[space] = f
	}
	m.fitted.Store(&next)
}

// damage is why a space does not go by its file; nil if it does, or has none.
func (m *models) damage(space string) error {
	err := (*m.fitted.Load())[space].damage
	if err != nil {
		err = fmt.Errorf("the space goes by the default weights: %w", err)
	}
	return err
}

// weights are those that a space goes by.
func (m *models) weights(space string) dynamics.Weights {
	if f, ok := (*m.fitted.Load())[space]; ok {
		return f.weights
	}
	return dynamics.DefaultWeights()
}

// coefficients are what the space's scores multiply their terms by; nil if nothing was learnt of them. The space must
// be open.
func (s *Space) coefficients() map[string]float64 {
	return (*s.db.models.fitted.Load())[s.name].coefficients
}

// file is what a space's file of fitted weights says; nil if it has none.
func (m *models) file(space string) *modelFile { return (*m.fitted.Load())[space].file }

// sideFile is the file as it goes into backups.
func (m *models) sideFile(space string) (store.SideFile, error) {
	side := store.SideFile{Name: modelName}
	if err := m.damage(space); err != nil {
		return side, fmt.Errorf("back up fitted weights: %w", err)
	}
	f := m.file(space)
	if f == nil {
		return side, nil
	}
	b, err := f.encode()
	if err != nil {
		return side, fmt.Errorf("back up fitted weights: %w", err)
	}
	side.Body = b
	return side, nil
}

// model is what the space's memories fade by. The space must be open: it is read when it is opened.
func (s *Space) model() *dynamics.Model { return s.faded().Model }

// faded is model, with what it makes of a memory that nobody used.
func (s *Space) faded() *faded {
	if f, ok := (*s.db.models.fitted.Load())[s.name]; ok {
		return f.model
	}
	return s.db.models.usual
}

// The file that keeps fitted weights: docs/format/model.md.
const (
	modelName    = "model.json"
	modelFormat  = "engram-model"
	maxModelFile = 64 << 10
	// modelVersion: 2 added coefficients, which version 1 has none of and version 2 always; 3 the space's store id.
	modelVersion = 3
)

const adviceModel = "`engram fit` learns them again, `engram fit --remove` removes it"

// modelFile is what the file holds, its fields in this order.
type modelFile struct {
	Format       string             `json:"format"`
	Version      uint32             `json:"version"`
	Store        string             `json:"store,omitempty"` // the space's id, in hexadecimal digits
	FittedAt     time.Time          `json:"fitted_at"`
	Training     int                `json:"training"`
	Weights      []float64          `json:"weights"`
	Coefficients []modelCoefficient `json:"coefficients,omitempty"` // by name
	Checksum     string             `json:"checksum"`
}

// modelCoefficient is what a term of scores is multiplied by.
type modelCoefficient struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// newModelFile is the file of weights and coefficients of the space that is open as sp.
func newModelFile(
	sp *store.Space, at time.Time, training int, weights []float64, coefficients []modelCoefficient,
) *modelFile {
	return &modelFile{
		Format: modelFormat, Version: modelVersion, Store: storeText(sp), FittedAt: at.UTC().Round(0),
		Training: training, Weights: weights, Coefficients: coefficients,
	}
}

func storeText(sp *store.Space) string {
	id := sp.ID()
	return hex.EncodeToString(id[:])
}

// fits reports whether a file has what its version has.
func (f *modelFile) fits() bool {
	switch f.Version {
	case 1:
		return f.Store == "" && len(f.Coefficients) == 0
	case 2:
		return f.Store == "" && len(f.Coefficients) > 0
	}
	return f.Version == modelVersion && f.Store != ""
}

// coefficients are those of the file by name; nil if it has none.
func (f *modelFile) coefficients() map[string]float64 {
	if len(f.Coefficients) == 0 {
		return nil
	}
	byName := make(map[string]float64, len(f.Coefficients))
	for _, c := range f.Coefficients {
		byName[c.Name] = c.Value
	}
	return byName
}

// possible reports whether scores can go by coefficients.
func possible(list []modelCoefficient) bool {
	for i, c := range list {
		if !slices.Contains(recall.Weighable(), c.Name) || i > 0 && list[i-1].Name >= c.Name ||
			!(c.Value >= dynamics.LeastCoefficient && c.Value <= dynamics.MostCoefficient) {
			return false
		}
	}
	return true
}

// encode gives the bytes of the file; there is one form only.
func (f *modelFile) encode() ([]byte, error) {
	sealed := *f
	sealed.Checksum = ""
	b, err := json.MarshalIndent(&sealed, "", "  ")
	if err != nil {
		return nil, err
	}
	sealed.Checksum = fmt.Sprintf("%08x", codec.Checksum(0, b))
	b, err = json.MarshalIndent(&sealed, "", "  ")
	return append(b, '\n'), err
}

// decodeModel reads what encode gave, of the space that is open as sp. path is for errors.
func decodeModel(sp *store.Space, path string, b []byte) (*modelFile, error) {
	damaged := func(err error) error {
		return &codec.CorruptError{Op: "read fitted weights", Path: path, Offset: 0, Err: err, Advice: adviceModel}
	}
	var told struct {
		Format  string `json:"format"`
		Version uint32 `json:"version"`
	}
	if err := json.Unmarshal(b, &told); err != nil {
		return nil, damaged(err)
	}
	if told.Format == modelFormat && told.Version > modelVersion {
		return nil, &codec.FormatError{Path: path, Kind: modelFormat, Found: told.Version, Newest: modelVersion}
	}
	f := &modelFile{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, damaged(err)
	}
	again, err := f.encode()
	switch {
	case f.Format != modelFormat || !f.fits():
		return nil, damaged(fmt.Errorf("it is of format %q, version %d, and has not what that has",
			f.Format, f.Version))
	case err != nil || !bytes.Equal(again, b):
		return nil, damaged(errors.New("its checksum, or its form, is not what was written"))
	case f.Store != "" && f.Store != storeText(sp):
		return nil, damaged(fmt.Errorf("it is of the space with the id %s, not of this one, %s",
			f.Store, storeText(sp)))
	case len(f.Weights) != len(dynamics.Weights{}) || !fit.Within(dynamics.Weights(f.Weights)):
		return nil, damaged(fmt.Errorf("weights %v are impossible", f.Weights))
	case !possible(f.Coefficients):
		return nil, damaged(fmt.Errorf("coefficients %v are impossible", f.Coefficients))
	}
	return f, nil
}

func (db *DB) modelPath(space string) string { return filepath.Join(db.spaceDir(space), modelName) }

// loadModel makes the space go by its file, or by the default if it has none, or a damaged one: what was fitted can be
// fitted again, and no memory depends on it.
func (db *DB) loadModel(space string, sp *store.Space) error {
	f, err := db.readModel(sp, db.modelPath(space))
	switch {
	case err == nil:
		db.models.set(space, f)
	case errors.Is(err, ErrCorrupt):
		db.models.setDamaged(space, err)
	default:
		return err
	}
	return nil
}

// besides are the files of a space that the store does not know.
var besides = []store.Beside{{Name: modelName, Earlier: modelIsEarlier, Same: sameModel}}

func modelIsEarlier(b []byte) bool {
	var f modelFile
	return json.Unmarshal(b, &f) == nil && f.Version < modelVersion
}

// sameModel reports whether two files say the same but for their versions.
func sameModel(a, b []byte) bool {
	var files [2]modelFile
	for i, text := range [][]byte{a, b} {
		if err := json.Unmarshal(text, &files[i]); err != nil {
			return bytes.Equal(a, b)
		}
		files[i].Version, files[i].Store, files[i].Checksum = 0, "", ""
	}
	return reflect.DeepEqual(files[0], files[1])
}

// upgradeModel writes the file of fitted weights anew if it is of an earlier version.
func (db *DB) upgradeModel(space string, sp *store.Space) error {
	db.fitting.Lock()
	defer db.fitting.Unlock()
	f := db.models.file(space)
	if f == nil || f.Version == modelVersion {
		return nil
	}
	anew := *f
	anew.Version, anew.Store = modelVersion, storeText(sp)
	return db.saveModel(space, &anew)
}

// verifyModel checks the space's file of fitted weights, if it has one.
func (db *DB) verifyModel(space string, sp *store.Space, out *VerifyReport) error {
	f, err := db.readModel(sp, db.modelPath(space))
	if f == nil && err == nil {
		return nil
	}
	out.Files++
	if corrupt, ok := errors.AsType[*CorruptError](err); ok {
		out.Problems = append(out.Problems, Problem{
			File: corrupt.Path, Offset: corrupt.Offset, What: corrupt.Err.Error(),
		})
		return nil
	}
	return err
}

// readSmall reads a file of fitted weights.
func readSmall(fsys vfs.FS, path string) ([]byte, error) {
	file, err := fsys.Open(path, false)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // opened for reading
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > maxModelFile {
		err := fmt.Errorf("it has %d bytes, at most %d are possible", size, maxModelFile)
		return nil, &codec.CorruptError{
			Op: "read fitted weights", Path: path, Offset: maxModelFile, Err: err, Advice: adviceModel,
		}
	}
	b := make([]byte, size)
	if n, err := file.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// saveModel makes f last, and then what the space goes by.
func (db *DB) saveModel(space string, f *modelFile) error {
	if err := isolate.Fault("engram/fit"); err != nil {
		return err
	}
	b, err := f.encode()
	if err != nil {
		return fmt.Errorf("write fitted weights: %w", err)
	}
	path := db.modelPath(space)
	if err := replaceFile(db.o.fs, path, b); err != nil {
		return fmt.Errorf("write fitted weights: %w", err)
	}
	db.models.set(space, f)
	return nil
}

// replaceFile puts b in the place of a file in one step. A leftover of one that was interrupted is removed here, or
// when the space is opened.
func replaceFile(fsys vfs.FS, path string, b []byte) error {
	aside := path + ".tmp"
	if err := fsys.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := fsys.Create(aside)
	if err != nil {
		return err
	}
	if _, err = file.WriteAt(b, 0); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, fsys.Remove(aside))
	}
	if err := fsys.Rename(aside, path); err != nil {
		return errors.Join(err, fsys.Remove(aside))
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// removeModel returns a space to the default weights; false if it goes by them.
func (db *DB) removeModel(space string) (bool, error) {
	if err := isolate.Fault("engram/fit"); err != nil {
		return false, err
	}
	path := db.modelPath(space)
	if err := db.o.fs.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, fmt.Errorf("remove fitted weights: %w", err)
	}
	db.models.set(space, nil)
	if err := db.o.fs.SyncDir(filepath.Dir(path)); err != nil {
		return true, fmt.Errorf("remove fitted weights: %w", err)
	}
	return true, nil
}
