package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

const (
	// backupIndex lists the backups of a directory, in the order in which they were taken.
	backupIndex  = "backups.json"
	backupSuffix = ".engram-backup"
	// backupLock is held while a backup is added.
	backupLock = "backups.lock"
)

// backupList is the index of a directory, as docs/format/backups.md describes it.
type backupList struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Backups []takenBackup `json:"backups"`
	// Checksum is of the text with an empty one; version 1 has none.
	Checksum string `json:"checksum,omitempty"`
}

const (
	backupListFormat  = "engram-backups"
	backupListVersion = 2
)

// takenBackup is one backup in the index of a directory.
type takenBackup struct {
	File    string    `json:"file"`
	TakenAt time.Time `json:"taken_at"`
	// Incremental says that it holds what came after the backup before it in the index.
	Incremental bool `json:"incremental"`
	engram.BackupReport
}

func readBackupIndex(dir string) ([]takenBackup, error) {
	data, err := os.ReadFile(filepath.Join(dir, backupIndex))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read index of backups: %w", err)
	}
	list, err := decodeBackups(filepath.Join(dir, backupIndex), data)
	if err != nil {
		return nil, fmt.Errorf("read index of backups: %w", err)
	}
	return list, nil
}

// decodeBackups reads an index: a list alone is what was written before there was a version.
func decodeBackups(path string, data []byte) ([]takenBackup, error) {
	damaged := func(err error) error {
		return &engram.CorruptError{Op: "read", Path: path, Offset: -1, Err: err, Advice: adviceBackups}
	}
	var told backupList
	if bare := bytes.TrimSpace(data); len(bare) > 0 && bare[0] == '[' {
		if err := json.Unmarshal(bare, &told.Backups); err != nil {
			return nil, damaged(err)
		}
		return told.Backups, nil
	}
	if err := json.Unmarshal(data, &told); err != nil {
		return nil, damaged(err)
	}
	switch {
	case told.Format != backupListFormat || told.Version < 1:
		return nil, damaged(fmt.Errorf("format is %q, version %d, want %q and 1 or more", told.Format, told.Version,
			backupListFormat))
	case told.Version > backupListVersion:
		return nil, fmt.Errorf("%s has format version %d, this program reads up to %d: use the Engram that wrote "+
			"it: %w", path, told.Version, backupListVersion, engram.ErrFormatVersion)
	case told.Version == 1 && !bytes.Contains(data, []byte(`"checksum"`)):
		return told.Backups, nil
	}
	written, err := encodeBackups(told.Backups)
	if err != nil || told.Version == 1 || !bytes.Equal(written, data) {
		return nil, damaged(errors.New("its checksum, or its form, is not what was written"))
	}
	return told.Backups, nil
}

// encodeBackups makes the one form that an index has, with its checksum.
func encodeBackups(taken []takenBackup) ([]byte, error) {
	list := backupList{Format: backupListFormat, Version: backupListVersion, Backups: taken}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, err
	}
	list.Checksum = fmt.Sprintf("%08x", crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	if data, err = json.MarshalIndent(list, "", "  "); err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

const adviceBackups = "the backups themselves may be whole: restore from the files by their names, in their order, " +
	"and take a full backup into a new directory"

func writeBackupIndex(dir string, taken []takenBackup) error {
	data, err := encodeBackups(taken)
	if err != nil {
		return fmt.Errorf("write index of backups: %w", err)
	}
	err = writeAside(filepath.Join(dir, backupIndex), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("write index of backups: %w", err)
	}
	return nil
}

// unlisted are the backups in a directory that come behind those that its index lists: the index is older than they
// are, or the process that took them ended before it could list them.
func unlisted(dir string, taken []takenBackup) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	last := taken[len(taken)-1].File
	for _, entry := range entries {
		name := entry.Name()
		listed := slices.ContainsFunc(taken, func(one takenBackup) bool { return one.File == name })
		if strings.HasSuffix(name, backupSuffix) && !listed && name > last {
			names = append(names, name)
		}
	}
	return names, nil
}

// checkedBackups lists the files of a directory of backups in order; each is what the index says.
func (a *app) checkedBackups(dir string) ([]string, error) {
	taken, err := readBackupIndex(dir)
	if err != nil {
		return nil, err
	}
	if len(taken) == 0 {
		return nil, fmt.Errorf("%s holds no %s: give a directory that 'engram backup' made: %w", dir, backupIndex,
			engram.ErrNotFound)
	}
	more, err := unlisted(dir, taken)
	if err != nil {
		return nil, err
	}
	if len(more) > 0 {
		a.notef("not listed in %s, and left out: %s; to restore these, too, give files by their names", backupIndex,
			strings.Join(more, ", "))
	}
	var files []string
	for _, one := range taken {
		if one.File != filepath.Base(one.File) || !strings.HasSuffix(one.File, backupSuffix) {
			return nil, fmt.Errorf("%s names the file %q, which is not a backup's: %w", backupIndex, one.File,
				engram.ErrCorrupt)
		}
		path := filepath.Join(dir, one.File)
		sum, err := fileSum(path)
		if err != nil {
			return nil, err
		}
		if sum != one.SHA256 {
			return nil, fmt.Errorf("backup %s has SHA-256 %s, %s says %s: it was changed or damaged: %w", path, sum,
				backupIndex, one.SHA256, engram.ErrCorrupt)
		}
		files = append(files, path)
	}
	return files, nil
}

func fileSum(path string) (_ string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s lists it; where later full backups are there, give files by their names: %w", err,
			backupIndex, engram.ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("open backup: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("read backup: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
