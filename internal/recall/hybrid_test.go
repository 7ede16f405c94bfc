package recall_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/recall"
)

// embedding makes vectors for a collection: one for each turn and one for each question.
type embedding struct {
	name string
	make func(c *collection, seed uint64) (turns, questions [][]float32)
}

func normal(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return unit(v)
}

func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return v
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

func addTo(v, w []float32, factor float64) {
	for i := range v {
		v[i] += float32(factor) * w[i]
	}
}

// fromGold makes random turns, and questions that lean towards each of their gold turns by about the given cosine.
// common is the cosine of the direction that all vectors share.
func fromGold(dim int, cosine, common float64) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		rng := rand.New(rand.NewPCG(seed, 1))
		shared := normal(rng, dim)
		mix := func(own []float32) []float32 {
			v := slices.Clone(shared)
			for i := range v {
				v[i] = float32(common*float64(v[i]) + math.Sqrt(1-common*common)*float64(own[i]))
			}
			return unit(v)
		}
		var own [][]float32
		for range c.turns {
			own = append(own, normal(rng, dim))
			turns = append(turns, mix(own[len(own)-1]))
		}
		for _, question := range c.questions {
			v := normal(rng, dim)
			for row := range uint32(len(c.turns)) {
				if question.gold[row] {
					addTo(v, own[row], cosine/math.Sqrt(max(1e-9, 1-cosine*cosine)))
				}
			}
			questions = append(questions, mix(unit(v)))
		}
		return turns, questions
	}
}

// fromWords makes vectors of the words: each word a random direction, frequent words count less, and noise is added.
func fromWords(dim int, noise, common float64) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		rng := rand.New(rand.NewPCG(seed, 2))
		shared := normal(rng, dim)
		words := func(s string) []string {
			return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < 'a' || r > 'z' })
		}
		count := map[string]int{}
		for _, turn := range c.turns {
			for _, w := range words(turn.Text + " " + turn.Speaker) {
				count[w[:min(len(w), 5)]]++
			}
		}
		vector := func(s string) []float32 {
			v := make([]float32, dim)
			for _, w := range words(s) {
				w = w[:min(len(w), 5)]
				h := fnv.New64a()
				h.Write([]byte(w))
				addTo(v, normal(rand.New(rand.NewPCG(seed, h.Sum64())), dim), 1/math.Sqrt(1+float64(count[w])))
			}
			unit(v)
			addTo(v, normal(rng, dim), noise)
			unit(v)
			addTo(v, shared, common)
			return unit(v)
		}
		for _, turn := range c.turns {
			turns = append(turns, vector(turn.Speaker+" "+turn.Text))
		}
		for _, question := range c.questions {
			questions = append(questions, vector(question.Question))
		}
		return turns, questions
	}
}

// shuffled gives each turn the vector of another.
func shuffled(of func(*collection, uint64) (turns, questions [][]float32)) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		turns, questions = of(c, seed)
		rand.New(rand.NewPCG(seed, 3)).Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		return turns, questions
	}
}

func embeddings() []embedding {
	return []embedding{
		{"gold .6", fromGold(256, .6, 0)},
		{"gold .35", fromGold(256, .35, 0)},
		{"gold .3 anisotropic", fromGold(256, .3, .8)},
		{"gold .25", fromGold(256, .25, 0)},
		{"gold .2", fromGold(256, .2, 0)},
		{"gold .15", fromGold(256, .15, 0)},
		{"gold .5 dim 32", fromGold(32, .5, 0)},
		{"gold .1", fromGold(256, .1, 0)},
		{"words", fromWords(256, 0, 0)},
		{"words noise .7", fromWords(256, .7, 0)},
		{"words noise 1.5", fromWords(256, 1.5, 0)},
		{"words anisotropic", fromWords(256, .3, 1.5)},
		{"words dim 16", fromWords(16, 0, 0)},
		{"random 256", fromGold(256, 0, 0)},
		{"random 8", fromGold(8, 0, 0)},
		{"random anisotropic", fromGold(256, 0, .8)},
		{"shuffled gold .35", shuffled(fromGold(256, .35, 0))},
	}
}

// nearest ranks rows by cosine alone, without the engine.
func nearest(vectors [][]float32, query []float32) []uint32 {
	rows := make([]uint32, len(vectors))
	sims := make([]float64, len(vectors))
	for i, v := range vectors {
		rows[i] = uint32(i)
		for k := range v {
			sims[i] += float64(v[k]) * float64(query[k])
		}
	}
	slices.SortStableFunc(rows, func(a, b uint32) int {
		switch {
		case sims[a] > sims[b]:
			return -1
		case sims[a] < sims[b]:
			return 1
		}
		return 0
	})
	return rows
}

var base = map[string][3]quality{}

func TestHybridExperiment(t *testing.T) {
	collections := loadLocomo(t)
	type cfg struct {
		name string
		w    recall.Weights
	}
	var cfgs []cfg
	for _, c := range strings.Split(os.Getenv("CFG"), ";") {
		w := recall.DefaultWeights()
		if c != "" {
			if err := json.Unmarshal([]byte(c), &w); err != nil {
				t.Fatal(err)
			}
		}
		cfgs = append(cfgs, cfg{c, w})
	}
	for _, e := range embeddings() {
		var words, raw quality
		meaning := make([]quality, len(cfgs))
		hybrid := make([]quality, len(cfgs))
		empty := make([]int, len(cfgs))
		for i, c := range collections {
			turns, questions := e.make(&c, uint64(i)+7)
			s := c.remember(t, turns)
			for k, question := range c.questions {
				q := ask(question.Question)
				q.Limit = 100
				words.add(s.ranked(q), question.gold)
				raw.add(nearest(turns, questions[k]), question.gold)
				for j := range cfgs {
					q := q
					q.Weights = &cfgs[j].w
					q.Embedding = questions[k]
					hybrid[j].add(s.ranked(q), question.gold)
					q.Text = ""
					if len(s.recall(q).Hits) == 0 {
						empty[j]++
					}
					meaning[j].add(s.ranked(q), question.gold)
				}
			}
		}
		w, r := words.mean(), raw.mean()
		for j := range cfgs {
			m, h := meaning[j].mean(), hybrid[j].mean()
			flag := ""
			if h.recall10 < max(w.recall10, m.recall10, r.recall10)-.005 {
				flag += " R!"
			}
			if h.ndcg10 < max(w.ndcg10, m.ndcg10, r.ndcg10)-.005 {
				flag += " N!"
			}
			fmt.Printf("%-20s raw %.3f %.3f | meaning %.3f %.3f (empty %3d) | hybrid %.3f %.3f %-6s %s\n", e.name,
				r.recall10, r.ndcg10, m.recall10, m.ndcg10, empty[j], h.recall10, h.ndcg10, flag, cfgs[j].name)
		}
	}
}
