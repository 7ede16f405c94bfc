package consolidate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/dynamics/consolidate"
)

// stop words of the tests; the index has its own.
const stop = " a an the is was are were it that who of to in at on by for and or not no never will would can could t " +
	"does did do has have if after before "

// item is a memory with its words as they stand: these tests use no inflections.
func item(id, text string) consolidate.Item {
	it := consolidate.Item{ID: id, Text: text}
	blank := func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') }
	for _, w := range strings.FieldsFunc(strings.ToLower(text), blank) {
		if !strings.Contains(stop, " "+w+" ") {
			it.Words = append(it.Words, w)
		}
	}
	return it
}

func texts(texts ...string) []consolidate.Item {
	var items []consolidate.Item
	for i, text := range texts {
		items = append(items, item(fmt.Sprintf("m%02d", i), text))
	}
	// Others, for the frequencies of words.
	for i := range 30 {
		said := fmt.Sprintf("filler%d talks%d about%d weather%d", i, i, i, i)
		items = append(items, item(fmt.Sprintf("x%02d", i), said))
	}
	return items
}

// grouped are the groups as lists of ids, the medoid's in brackets.
func grouped(items []consolidate.Item, o consolidate.Options) []string {
	var out []string
	for _, g := range consolidate.Groups(items, o) {
		var ids []string
		for _, m := range g.Members {
			id := items[m].ID
			if m == g.Medoid {
				id = "[" + id + "]"
			}
			ids = append(ids, id)
		}
		out = append(out, strings.Join(ids, " "))
	}
	return out
}

func TestRestatementsByWords(t *testing.T) {
	pairs := consolidate.Defaults()
	pairs.MinMembers = 2
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"the same words", "Ada lives in Lisbon", "It is in Lisbon that Ada lives", false}, // the order of names
		{"another order", "Ada bought green paint", "Ada: paint bought, green", true},
		{"one word more", "Ada bought green paint", "Ada bought green paint cheaply", true},
		{"another value", "Ada bought green paint", "Ada bought blue paint", false},
		{
			"another value in a long text", "Ada bought green paint for the garden shed door handle",
			"Ada bought blue paint for the garden shed door handle", false,
		},
		{"another person", "Ada bought green paint", "Bo bought green paint", false},
		{"negation", "Ada likes green paint", "Ada likes no green paint", false},
		{"contracted negation", "Ada can like green paint", "Ada can't like green paint", false},
		{"a number", "room 12 holds green paint", "room 14 holds green paint", false},
		{"the same number", "room 12 holds green paint", "green paint: room 12 holds", true},
		{"a question", "Ada likes green paint", "Ada likes green paint?", false},
		{"intention", "Ada will paint the shed green", "Ada paint the shed green", false},
		{"who to whom", "Ada owes Bo green paint", "Bo owes Ada green paint", false},
		{"too few words", "thanks Ada", "thanks, Ada", false},
		{"half of it", "Ada bought paint", "Ada bought paint, brushes, turpentine and tape", false},
	} {
		got := grouped(texts(c.a, c.b), pairs)
		if (len(got) == 1) != c.same || len(got) > 1 {
			t.Errorf("%s: groups = %q", c.name, got)
		}
	}
}

// TestRestatementsByMeaning: vectors bring together what no word does, and do not overrule what words tell apart.
func TestRestatementsByMeaning(t *testing.T) {
	o := consolidate.Defaults()
	o.MinMembers = 2
	near, far := []float32{1, .2, 0, 0, 0, 0, 0, 0}, []float32{0, 0, 1, 0, 0, 0, 0, 0}
	base := []float32{1, 0, 0, 0, 0, 0, 0, 0}
	for _, c := range []struct {
		name, a, b string
		vector     []float32
		same       bool
	}{
		{"reworded", "Ada relocated to Lisbon last spring", "Ada moved to Lisbon around april", near, true},
		{"reworded, far", "Ada relocated to Lisbon last spring", "Ada moved to Lisbon around april", far, false},
		{"a contrast", "Ada really likes tea", "Ada really likes coffee", base, false},
		{"other names", "Ada relocated to Lisbon last spring", "Ada moved to Porto around april", base, false},
		{"other numbers", "rent is 900 each month", "every month pays 950 rent", base, false},
		{"negated", "Ada relocated to Lisbon last spring", "Ada never moved to Lisbon around april", base, false},
		{"the same words, far vectors", "Ada bought green paint", "Ada: paint bought, green", far, true},
	} {
		items := texts(c.a, c.b)
		items[0].Vector, items[1].Vector = base, c.vector
		if got := grouped(items, o); (len(got) == 1) != c.same {
			t.Errorf("%s: groups = %q", c.name, got)
		}
	}
}

func TestGroups(t *testing.T) {
	items := texts("Ada bought green paint", "Ada bought green paint cheaply", "green paint: Ada bought it",
		"Bo sold the old boat", "Bo sold the old boat", "Ada bought the green paint cheaply")
	if got := grouped(items, consolidate.Defaults()); !slices.Equal(got, []string{"m00 [m01] m02 m05"}) {
		t.Errorf("groups = %q: two are not enough, and the medoid says most", got)
	}
	items[2].Scope = "another"
	if got := grouped(items, consolidate.Defaults()); !slices.Equal(got, []string{"m00 [m01] m05"}) {
		t.Errorf("another scope: groups = %q", got)
	}
	// A chain does not drift: its ends are no restatements of each other.
	chain := texts("Ada bought green paint", "Ada bought green paint tuesday", "Ada bought green paint wednesday")
	if got := grouped(chain, consolidate.Defaults()); len(got) != 0 {
		t.Errorf("a chain: groups = %q", got)
	}
	items = texts("Ada bought green paint", "Ada bought green paint cheaply")
	items[0].Concept = true
	if got := grouped(items, consolidate.Defaults()); !slices.Equal(got, []string{"[m00] m01"}) {
		t.Errorf("a concept: groups = %q: it takes on one more and stays its medoid", got)
	}
	items[1].Concept = true
	if got := grouped(items, consolidate.Defaults()); len(got) != 0 {
		t.Errorf("two concepts: groups = %q", got)
	}
	o := consolidate.Defaults()
	o.MaxMembers = 3
	items = texts(slices.Repeat([]string{"Ada bought green paint"}, 6)...)
	for _, g := range consolidate.Groups(items, o) {
		if len(g.Members) > 3 {
			t.Errorf("a group of %d, at most 3 are allowed", len(g.Members))
		}
	}
}

// generated are clusters of restatements and singletons that share words with them, some with vectors.
func generated(r *rand.Rand, clusters, members, singletons int, vectors bool) []consolidate.Item {
	var items []consolidate.Item
	word := func() string { return fmt.Sprintf("w%dq", r.IntN(3000)) }
	add := func(words []string, v []float32) {
		r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		it := item(fmt.Sprintf("id%05d", len(items)), strings.Join(words, " the "))
		if vectors && r.IntN(5) > 0 {
			it.Vector = make([]float32, len(v))
			for d := range v {
				it.Vector[d] = v[d] + .2*float32(r.NormFloat64())
			}
		}
		items = append(items, it)
	}
	for range clusters {
		base, v := []string{word(), word(), word(), word(), word()}, gaussian(r, 64)
		for range members {
			words := slices.Clone(base)
			if r.IntN(3) == 0 {
				words = append(words, "certainly") // frequent, so of little weight
			}
			add(words, v)
		}
		near := slices.Clone(base) // says something else about the same
		for k := r.IntN(len(near)); near[k] == base[k]; {
			near[k] = word()
		}
		add(near, gaussian(r, 64))
	}
	for range singletons {
		add([]string{word(), word(), word(), word(), word()}, gaussian(r, 64))
	}
	return items
}

func gaussian(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for d := range v {
		v[d] = float32(r.NormFloat64())
	}
	return v
}

// TestOrderDoesNotMatter: any order of the items gives the same groups with the same medoids.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, vectors := range []bool{false, true} {
		const seed = 31
		r := rand.New(rand.NewPCG(seed, 5))
		items := generated(r, 40, 5, 40, vectors)
		want := grouped(items, consolidate.Defaults())
		if len(want) != 40 {
			t.Errorf("seed %d: %d groups of 40", seed, len(want))
		}
		for range 5 {
			r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			if got := grouped(items, consolidate.Defaults()); !slices.Equal(got, want) {
				t.Fatalf("seed %d: another order gives\n%q, not\n%q", seed, got, want)
			}
		}
	}
}

// TestGroupsAreWhole: every cluster is found with all its members, and nothing else is in it.
func TestGroupsAreWhole(t *testing.T) {
	for _, vectors := range []bool{false, true} {
		const seed = 32
		r := rand.New(rand.NewPCG(seed, 6))
		items := generated(r, 200, 5, 300, vectors)
		members := 0
		for _, g := range consolidate.Groups(items, consolidate.Defaults()) {
			first := g.Members[0] / 6
			for _, m := range g.Members {
				if m >= 1200 || m/6 != first || m%6 == 5 {
					t.Errorf("seed %d: %q is in the group of %q", seed, items[m].Text, items[g.Members[0]].Text)
				}
				for _, w := range items[m].Words {
					if !vectors && !slices.Contains(items[g.Medoid].Words, w) {
						t.Errorf("seed %d: the medoid %q lacks %q", seed, items[g.Medoid].Text, w)
					}
				}
			}
			members += len(g.Members)
		}
		if members < 990 {
			t.Errorf("seed %d, vectors %v: %d of 1000 restatements are in groups", seed, vectors, members)
		}
	}
}

// BenchmarkGroups shows how the cost grows: ten times as many memories, of 64 dimensions, most of them restatements.
func BenchmarkGroups(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		r := rand.New(rand.NewPCG(1, 7))
		items := generated(r, n/10, 5, n*4/10, true)
		b.Run(fmt.Sprintf("n=%d", len(items)), func(b *testing.B) {
			for b.Loop() {
				consolidate.Groups(items, consolidate.Defaults())
			}
		})
	}
}
