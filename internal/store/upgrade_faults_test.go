//go:build faults

package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vfs"
)

// ofUpgrades reports whether a step is one of keeping aside, upgrading, undoing or finishing.
func ofUpgrades(s inject.Step) bool {
	return slices.ContainsFunc([]string{"aside.go", "undo.go", "upgrade.go", "upgrade."}, func(name string) bool {
		return strings.HasPrefix(s.Name, "store/"+name)
	})
}

// upgradeSteps lists those steps.
func upgradeSteps(t *testing.T) (all []inject.Step) {
	t.Helper()
	points, files := inject.Steps(t, rooms...)
	for _, s := range slices.Concat(points, files) {
		if ofUpgrades(s) {
			all = append(all, s)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d steps of upgrades were found: %v", len(all), all)
	}
	return all
}

// TestUpgradeFaultMatrix lets every step of an upgrade fail in every way, and looks at what is left.
func TestUpgradeFaultMatrix(t *testing.T) {
	whole := newChange(t, earlierGoldens(t)[0])
	faults := 0
	for _, step := range upgradeSteps(t) {
		reached := false
		for _, kind := range step.Can {
			for nth := int64(1); nth <= 2; nth++ {
				c := whole.anew()
				trap := &inject.Trap{Step: step.Name, Kind: kind, Nth: nth}
				done := isolate.OnPoint(trap.Spring)
				err := c.live(trap.Files(c.disk), func(fn func() error) error {
					err, returned := on(fn)
					if err == nil && !returned {
						err = fmt.Errorf("the goroutine ended")
					}
					return err
				})
				done()
				if !trap.Sprung() {
					continue // not as often
				}
				reached = true
				faults++
				for seed, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random} {
					c.cut(uint64(seed), mode, same)
				}
				if c.lost != "" {
					t.Fatalf("%s (%s), %s, hit %d (%v): %s", step.Name, step.What, kind, nth, err, c.lost)
				}
			}
		}
		if !reached {
			t.Errorf("an upgrade never comes to %s (%s)", step.Name, step.What)
		}
	}
	t.Logf("%d faults", faults)
}

// sparedInUpgrades are the syncs without which nothing is lost, and what they are for.
var sparedInUpgrades = map[string]string{}

// TestEverySyncOfAnUpgradeIsNeeded is TestEverySyncIsNeeded of the steps of an upgrade.
func TestEverySyncOfAnUpgradeIsNeeded(t *testing.T) {
	whole := newChange(t, earlierGoldens(t)[0])
	for _, step := range upgradeSteps(t) {
		if kind := step.What[strings.LastIndexByte(step.What, ' ')+1:]; !strings.HasPrefix(kind, "Sync") {
			continue
		}
		t.Run(step.What, func(t *testing.T) {
			t.Parallel()
			lie := inject.NewLie(nil, step.Name)
			lost, why := "", sparedInUpgrades[step.What]
			for seed := uint64(0); seed < 6 && lost == ""; seed++ {
				c := whole.anew()
				fault := vfs.NewFault(c.disk)
				on := func(fsys vfs.FS) vfs.FS { return lie.On(fsys) }
				fault.OnOp = func(op vfs.Op) {
					if changes(op) {
						c.cut(seed<<32+uint64(op.Index), []vfs.CrashMode{vfs.LoseAll, vfs.Random}[seed%2], on)
					}
				}
				if err := c.live(on(fault), plainly); err != nil {
					t.Error(err)
				}
				lost = c.lost
			}
			switch {
			case lie.Told() == 0:
				t.Errorf("an upgrade never comes to %s", step.Name)
			case why != "" && lost != "":
				t.Errorf("said to be spared (%s), but without it %s", why, lost)
			case why == "" && lost == "":
				t.Errorf("%s: nothing is lost without it: what is it for?", step.Name)
			}
		})
	}
}
