package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/store"
)

// action is one operation with everything decided.
type action struct {
	kind      string
	version   version // put
	model     string  // put: named before
	id, other string
	linkType  string
	weight    float32
	count     uint32
	at        int64
	key       store.Key
}

func (a action) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s%s %s", a.kind, a.id, a.version.Record.ID, a.other))
}

func (a action) until() store.Time { return store.Time{Nanos: a.at, Offset: 3600} }

// stage does the action in tx.
func (a action) stage(s *store.Space, tx *store.Tx) error {
	switch a.kind {
	case "put":
		r := a.version.Record
		if err := tx.NameModel(a.model); err != nil {
			return err
		}
		return tx.Put("put", &r, a.version.Vector, s.Prepare(&r))
	case "archive":
		return tx.Archive(a.id, a.at)
	case "erase":
		return tx.Erase(a.id)
	case "supersede":
		return tx.Supersede(a.id, store.Supersession{By: a.other, Until: a.until(), At: a.at})
	case "absent":
		return tx.Absent(a.id, store.Span{From: a.at, Until: a.at + 5})
	case "reinforce":
		return tx.Reinforce(a.id, a.count, a.at)
	case "link":
		return tx.Link(a.id, a.other, a.linkType, a.weight)
	case "model":
		return tx.NameUnnamed(a.other)
	case "begin":
		return tx.BeginVectors(a.other, int(a.count))
	case "embed":
		_, err := tx.Embed(a.id, a.version.Record.Version, a.version.Vector)
		return err
	case "serve":
		return tx.ServeVectors()
	case "cancel":
		return tx.CancelVectors()
	case "unlink":
		_, err := tx.Unlink(a.id, a.other, a.linkType)
		return err
	case "key":
		return tx.PutKey(a.key)
	case "judge":
		return errors.Join(tx.SetDynamics(a.id, a.dynamics()), tx.SetSource(a.source()),
			tx.Feedback(store.FeedbackRecord{
				Memory: a.id, At: a.at, Signal: "useful", Grade: 3, Used: true, Retrievability: .5, Days: 2,
				FeedbackContext: store.FeedbackContext{
					Rank: 1, Score: float64(a.count),
					Terms: []store.FeedbackTerm{{Name: "words", Value: float64(a.count)}},
				},
			}))
	}
	return fmt.Errorf("no action %q", a.kind)
}

// note does the action in the book.
func (b *book) note(a action) {
	b.clock++
	m := b.memories[a.id]
	switch a.kind {
	case "put":
		id := a.version.Record.ID
		m, known := b.memories[id]
		n := len(m.Versions)
		if known && m.Versions[n-1].Record.Version == a.version.Record.Version {
			m.Versions = m.Versions[:n-1]
		}
		m.Versions = append(slices.Clone(m.Versions), a.version)
		m.ArchivedAt, m.SupersededBy, m.Until = store.NoTime, "", store.Time{Nanos: store.NoTime}
		m.SupersededAt = store.NoTime
		b.memories[id] = m
		delete(b.building, versionKey(id, a.version.Record.Version)) // a restored memory is stored anew
		if len(a.version.Vector) > 0 {
			b.dim = len(a.version.Vector)
		}
		return
	case "begin":
		b.building, b.next = map[string][]float32{}, int(a.count)
		return
	case "embed":
		b.building[versionKey(a.id, a.version.Record.Version)] = a.version.Vector
		return
	case "cancel":
		b.building = nil
		return
	case "serve":
		for id, m := range b.memories {
			m.Versions = slices.Clone(m.Versions)
			for i := range m.Versions {
				m.Versions[i].Vector = b.building[versionKey(id, m.Versions[i].Record.Version)]
			}
			b.memories[id] = m
		}
		b.dim, b.building = b.next, nil
		return
	case "archive":
		m.ArchivedAt = a.at
	case "erase":
		delete(b.memories, a.id)
		b.judged = slices.DeleteFunc(slices.Clone(b.judged), func(s string) bool {
			return strings.HasPrefix(s, a.id+" ")
		})
		for l := range b.links {
			if l[0] == a.id || l[1] == a.id {
				delete(b.links, l)
			}
		}
		maps.DeleteFunc(b.keys, func(_ string, k store.Key) bool { return k.ID == a.id })
		maps.DeleteFunc(b.building, func(key string, _ []float32) bool { return strings.HasPrefix(key, a.id+"@") })
		for id, m := range b.memories {
			if m.SupersededBy == a.id {
				m.SupersededBy = store.ErasedID
				b.memories[id] = m
			}
		}
		return
	case "supersede":
		m.SupersededBy, m.Until, m.SupersededAt = a.other, a.until(), a.at
	case "absent":
		m.Absent = append(slices.Clone(m.Absent), store.Span{From: a.at, Until: a.at + 5})
	case "reinforce":
		m.Reinforced = a.count
	case "judge":
		if m.Dynamics != nil {
			m.Past = append(slices.Clone(m.Past), m.Dynamics)
			m.Past = m.Past[max(0, len(m.Past)-63):]
		}
		m.Dynamics = a.dynamics()
		b.sources[a.other] = append(slices.Clone(b.sources[a.other]), a.source())
		b.judged = append(b.judged, fmt.Sprint(a.id, " ", a.at, " ", a.count))
	case "link":
		b.links[[3]string{a.id, a.other, a.linkType}] = a.weight
	case "unlink":
		delete(b.links, [3]string{a.id, a.other, a.linkType})
	case "key":
		b.keys[a.key.Name] = a.key
		return
	case "model":
		return
	}
	b.memories[a.id] = m
}

// dynamics is the state that a judgement leads to.
func (a action) dynamics() *store.Dynamics {
	m := dynamics.New(dynamics.DefaultWeights())
	own := dynamics.NewEvidence(longSource, true, .8)
	d := store.Dynamics{State: m.Fresh(a.at, own), Evidence: []dynamics.Evidence{own}, At: a.at}
	if a.count%3 == 0 {
		d.During = "s" + strconv.Itoa(int(a.count%5))
	}
	d.State = m.Use(d.State, dynamics.Good, a.at+int64(a.count)*86400e9)
	if a.count%2 == 0 {
		d.Evidence = dynamics.Hear(d.Evidence, dynamics.NewEvidence(a.other, a.count%4 == 0, .7))
	}
	d.State.Learn(d.Evidence)
	if a.count%7 == 0 {
		d.State.Lapse = d.State.LastUse + 1
		d.Evidence[0].Counted = dynamics.Verdicts(1 + a.count%3)
	}
	return &d
}

func (a action) source() store.Source {
	return store.Source{
		Name: a.other, Reliability: dynamics.Reliability{Right: 4 + float32(a.count), Wrong: 1}, At: a.at,
	}
}

// do writes actions as one and notes them.
func (b *book) do(t testing.TB, s *store.Space, actions ...action) {
	t.Helper()
	if err := write(s, actions); err != nil {
		t.Fatalf("%v = %v", actions, err)
	}
	for _, a := range actions {
		b.note(a)
	}
}

func write(s *store.Space, actions []action) error {
	return s.Write(context.Background(), "write", nil, func(tx *store.Tx) error {
		for _, a := range actions {
			if err := a.stage(s, tx); err != nil {
				return fmt.Errorf("%v: %w", a, err)
			}
		}
		return nil
	})
}
