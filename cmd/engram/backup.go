package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// vault is what backup and restore speak to: all spaces of a directory, or of the server that holds it.
type vault interface {
	Backup(ctx context.Context, w io.Writer, o engram.BackupOptions) (engram.BackupReport, error)
	Restore(ctx context.Context, r io.Reader, o engram.RestoreOptions) (engram.RestoreReport, error)
	Upgrade(ctx context.Context, o engram.UpgradeOptions) (engram.UpgradeReport, error)
}

var (
	_ vault = (*engram.DB)(nil)
	_ vault = remoteVault{}
)

// withVault is withBackend for what concerns all spaces.
func (a *app) withVault(ctx context.Context, want intent, body func(vault) error) error {
	dir, err := a.resolveDataDir()
	if err != nil {
		return err
	}
	if want == reading {
		if err := requireDataDir(dir); err != nil {
			return err
		}
	}
	db, through, err := a.open(ctx, dir)
	if err != nil {
		return err
	}
	if through != nil {
		a.notef("through the server at %s", through.base)
		return body(remoteVault{through})
	}
	a.notef("directly on %s", dir)
	return errors.Join(body(db), db.Close())
}

const backupLong = "" +
	"Copy every space, or the one that --space names, while others read and write. Each record is verified\n" +
	"as it is copied; damage ends the backup with exit code 7.\n\n" +
	"With a directory, each backup becomes a file of it, listed with its SHA-256 in " + backupIndex +
	"; --incremental\n" +
	"takes only what was written since the last one there. With -, one stream goes to standard output.\n" +
	"'engram restore' takes either. With - and --json the report is the line of JSON on standard error."

func (a *app) backupCommand() *cobra.Command {
	var incremental bool
	cmd := &cobra.Command{
		Use:   "backup DIR | -",
		Short: "Copy all spaces, or one, into a directory of backups or to standard output",
		Long:  backupLong,
		Example: "  engram backup /backups/engram\n  engram backup --incremental /backups/engram\n" +
			"  engram backup - | ssh vault 'cat > engram.backup'",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&incremental, "incremental", false,
		"only what was written since the last backup in the directory")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		o := engram.BackupOptions{}
		if cmd.Flags().Changed("space") {
			o.Spaces = []string{a.space}
		}
		if args[0] != "-" {
			return a.backupInto(ctx, args[0], o, incremental)
		}
		if incremental {
			return usagef("--incremental needs a directory that holds the backups before")
		}
		return a.withVault(ctx, reading, func(v vault) error {
			report, err := a.backup(ctx, v, a.out, o)
			switch {
			case err != nil:
				return err
			case a.json: // standard output has the backup itself
				return json.NewEncoder(a.stderr).Encode(report)
			}
			a.noteBackup(report)
			return nil
		})
	})
	return cmd
}

// backupInto adds a backup to a directory of backups. Two processes never add to one at the same time: the index would
// lose one of them.
func (a *app) backupInto(ctx context.Context, dir string, o engram.BackupOptions, incremental bool) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory of backups: %w", err)
	}
	if err := (vfs.OS{}).SyncDir(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("make directory of backups: %w", err)
	}
	held, err := a.lockBackups(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	taken, err := readBackupIndex(dir)
	if err != nil {
		return err
	}
	if incremental {
		if len(taken) == 0 {
			return fmt.Errorf("%s holds no backup that an incremental one could follow: take a full one first: %w",
				dir, engram.ErrNotFound)
		}
		o.After = lastPositions(taken, o.Spaces)
		if err := followable(dir, taken, o.Spaces); err != nil {
			return err
		}
	}
	kind := "full"
	if incremental {
		kind = "incremental"
	}
	number, err := nextBackup(dir, taken)
	if err != nil {
		return err
	}
	one := takenBackup{
		File: fmt.Sprintf("%06d-%s%s", number, kind, backupSuffix), TakenAt: time.Now().UTC(), Incremental: incremental,
	}
	return a.withVault(ctx, reading, func(v vault) error {
		one.BackupReport, err = a.writeBackup(ctx, v, filepath.Join(dir, one.File), o)
		if err != nil {
			return err
		}
		if err := writeBackupIndex(dir, append(taken, one)); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(one)
		}
		a.printf("%s: %s, sha256 %s\n", filepath.Join(dir, one.File), sizeText(one.Bytes), one.SHA256)
		a.noteBackup(one.BackupReport)
		return nil
	})
}

// lockBackups takes the lock of a directory of backups, and waits for another process that has it.
func (a *app) lockBackups(ctx context.Context, dir string) (io.Closer, error) {
	giveUp := time.Now().Add(a.wait)
	for {
		held, err := vfs.OS{}.Lock(filepath.Join(dir, backupLock))
		if err == nil {
			return held, nil
		}
		if !errors.Is(err, engram.ErrLocked) {
			return nil, fmt.Errorf("lock directory of backups: %w", err)
		}
		if time.Now().After(giveUp) {
			return nil, fmt.Errorf("another backup is being written into %s: wait for it with --wait, or give another "+
				"directory: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryLock):
		}
	}
}

// nextBackup numbers the next backup of a directory: above all that are there, also those that no index lists, so that
// none is ever replaced.
func nextBackup(dir string, taken []takenBackup) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("list backups: %w", err)
	}
	last := len(taken)
	for _, entry := range entries {
		var n int
		if name := entry.Name(); strings.HasSuffix(name, backupSuffix) {
			if _, err := fmt.Sscanf(name, "%d-", &n); err == nil {
				last = max(last, n)
			}
		}
	}
	return last + 1, nil
}

// lastPositions tells how far the backups of a directory go, for the spaces asked for.
func lastPositions(taken []takenBackup, spaces []string) map[string]uint64 {
	after := map[string]uint64{}
	for _, one := range taken {
		for _, s := range one.Spaces {
			if len(spaces) == 0 || spaces[0] == s.Space {
				after[s.Space] = s.To
			}
		}
	}
	return after
}

// followable refuses an incremental backup that would follow files which are not there, or not whole: nothing could be
// restored from it. What the files hold is checked when it is restored.
func followable(dir string, taken []takenBackup, spaces []string) error {
	chains := map[string][]takenBackup{} // of each space, from its last full one on
	for _, one := range taken {
		for _, s := range one.Spaces {
			if s.Full {
				chains[s.Space] = nil
			}
			chains[s.Space] = append(chains[s.Space], one)
		}
	}
	for space, chain := range chains {
		if len(spaces) > 0 && spaces[0] != space {
			continue
		}
		for _, one := range chain {
			path := filepath.Join(dir, one.File)
			info, err := os.Stat(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("backup %s, which an incremental one would follow, is not there: take a full one: %w",
					path, engram.ErrNotFound)
			case err != nil:
				return fmt.Errorf("look at backup: %w", err)
			case info.Size() != one.Bytes:
				return fmt.Errorf("backup %s, which an incremental one would follow, has %d bytes, %s says %d: take "+
					"a full one: %w", path, info.Size(), backupIndex, one.Bytes, engram.ErrCorrupt)
			}
		}
	}
	return nil
}

// noteBackup says on standard error what a backup holds.
func (a *app) noteBackup(r engram.BackupReport) {
	for _, s := range r.Spaces {
		if s.Full {
			a.notef("space %s: in full, up to position %d", s.Space, s.To)
		} else {
			a.notef("space %s: positions %d to %d", s.Space, s.From+1, s.To)
		}
	}
}

// writeBackup writes a backup into a file.
func (a *app) writeBackup(
	ctx context.Context, v vault, path string, o engram.BackupOptions,
) (r engram.BackupReport, err error) {
	err = writeAside(path, func(w io.Writer) error {
		r, err = a.backup(ctx, v, w, o)
		return err
	})
	return r, err
}

// backup writes a backup, and shows how far it is.
func (a *app) backup(
	ctx context.Context, v vault, w io.Writer, o engram.BackupOptions,
) (engram.BackupReport, error) {
	m := a.meter("backed up")
	defer m.end()
	return v.Backup(ctx, m.writer(w), o)
}

// writeAside writes a file aside and gives it its name when it is durable; when writeAside returns the name is, too.
func writeAside(path string, write func(io.Writer) error) error {
	aside := path + ".part"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		return fmt.Errorf("remove what an earlier backup left: %w", err)
	}
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := (vfs.OS{}).SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("sync directory of backups: %w", err)
	}
	return nil
}

const restoreLong = "" +
	"Restore every space of the backups, or the one that --space names, into the data directory. A space\n" +
	"that was written to is never overwritten: give another --data, or --as another name. Files are given in\n" +
	"the order in which they were taken: a full backup and the incremental ones that follow it. Each space\n" +
	"is verified before it gets its name; if anything is wrong with a backup, nothing is restored."

func (a *app) restoreCommand() *cobra.Command {
	var o engram.RestoreOptions
	until := timeFlag{zone: a.zone}
	cmd := &cobra.Command{
		Use:   "restore DIR | FILE... | -",
		Short: "Bring spaces back from backups, whole or up to a position or a time",
		Long:  restoreLong,
		Example: "  engram --data /var/lib/engram-new restore /backups/engram\n" +
			"  engram --space default restore --as default.monday --to-time '2025-06-09 18:00' /backups/engram",
		Args: cobra.MinimumNArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.As, "as", "", "another `name` for the space that --space names")
	flags.Uint64Var(&o.Position, "to-position", 0,
		"the last log `position` to restore, of the space that --space names")
	flags.Var(&until, "to-time", "restore what was written up to this time")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		if flags.Changed("space") {
			o.Spaces = []string{a.space}
		}
		o.Time = until.time
		in, done, err := a.openBackups(args)
		if err != nil {
			return err
		}
		err = a.withVault(ctx, creating, func(v vault) error {
			m := a.meter("restored")
			report, err := v.Restore(ctx, m.reader(in), o)
			m.end()
			if err != nil {
				return err
			}
			return a.printRestored(report)
		})
		return errors.Join(err, done())
	})
	return cmd
}

func (a *app) printRestored(r engram.RestoreReport) error {
	if a.json {
		return a.printJSON(r)
	}
	for _, s := range r.Spaces {
		a.printf("space %s: %s, %d archived, up to position %d\n", s.Space,
			counted(s.Memories, "memory", "memories"), s.Archived, s.Position)
	}
	return nil
}

// openBackups opens the files that the arguments stand for, one behind the other. Those of a directory are checked
// against its index first.
func (a *app) openBackups(args []string) (in io.Reader, done func() error, err error) {
	if len(args) == 1 && args[0] == "-" {
		return a.stdin, func() error { return nil }, nil
	}
	files := args
	if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
		if len(args) > 1 {
			return nil, nil, usagef("give one directory of backups, or files")
		}
		if files, err = a.checkedBackups(args[0]); err != nil {
			return nil, nil, err
		}
	}
	var opened []*os.File
	done = func() error {
		var errs []error
		for _, f := range opened {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	var readers []io.Reader
	for _, name := range files {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", err, engram.ErrNotFound)
		}
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("open backup: %w", err), done())
		}
		opened = append(opened, f)
		readers = append(readers, f)
	}
	return io.MultiReader(readers...), done, nil
}
