package engram

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/complete"
	"github.com/orchard9/engram-go/internal/recall"
)

// What Options.Without can switch off besides the mechanisms of package dynamics.
const (
	offSpreading = "spreading"
	offSharpness = "sharpness"
	offNames     = "names"
	offStems     = "stems"
	offDay       = "day"
)

// Mechanisms lists what [Options.Without] can switch off:
//
//   - "power_curve": memories fade exponentially, with the same stability;
//   - "spacing": no use makes a memory more stable (w10 = 0);
//   - "same_day": uses within half a day of each other count as ones on different days do;
//   - "retelling": being told again is worth as much as being of use;
//   - "labile": no use opens a memory to being edited in place;
//   - "spreading": activation stays where it starts, in recall and in Spread;
//   - "fan": what a memory passes on is not divided among its associations;
//   - "sharpness": in completion all memories that are near weigh nearly the same (beta = 1);
//   - "names": text is what separators leave of it: no names whole and in parts, no numbers and dates in one form, no
//     stop words that are names, no preference for the question's own wording;
//   - "stems": words are not stemmed;
//   - "day": the words of a memory's day are not indexed.
//
// Terms of a score, and "fan" in a single recall, are switched off by Cue.Without. Feedback, supersession,
// consolidation and priming by use are switched off by not asking for them.
func Mechanisms() []string {
	var names []string
	for _, name := range dynamics.Mechanisms() {
		names = append(names, string(name))
	}
	return append(names, offSpreading, recall.StepFan, offSharpness, offNames, offStems, offDay)
}

func (o *Options) validateWithout() error {
	for i, name := range o.Without {
		at := fmt.Sprintf("Options.Without[%d]", i)
		switch {
		case !slices.Contains(Mechanisms(), name):
			return &InvalidError{Field: at, Value: quote(name), Allowed: "use " + strings.Join(Mechanisms(), ", ")}
		case slices.Index(o.Without, name) != i:
			return &InvalidError{Field: at, Value: quote(name), Allowed: "it is there twice: give each name once"}
		}
	}
	return nil
}

// modelWithout is what Without says of the model of forgetting.
func (o *Options) modelWithout() (off []dynamics.Mechanism) {
	for _, name := range dynamics.Mechanisms() {
		if slices.Contains(o.Without, string(name)) {
			off = append(off, name)
		}
	}
	return off
}

// switchedOff adds to what a cue switches off what Without does.
func (o *Options) switchedOff(names []string) []string {
	if len(o.Without) == 0 {
		return names
	}
	all := slices.Clone(names)
	if slices.Contains(o.Without, offSpreading) {
		all = append(all, recall.TermAssociation, recall.TermPriming)
	}
	if slices.Contains(o.Without, recall.StepFan) {
		all = append(all, recall.StepFan)
	}
	return all
}

// sharpness is how sharply completion tells memories apart.
func (o *Options) sharpness() float64 {
	if slices.Contains(o.Without, offSharpness) {
		return 1
	}
	return complete.Beta
}
