package consolidate

// Firsts gives for each of items the place of the first one ahead of it that says the same, among those that none ahead
// of them says; its own place if there is none. Two say the same if they have one scope and one text, or are
// restatements by the rules of [Groups], and apart, which may be nil, does not part them. apart is asked with the
// places of an earlier and a later item, and only of those that else say the same.
//
// An item is compared with those that share one of its rarest words, and with all that have a vector if it has one.
func Firsts(items []Item, o Options, apart func(a, b int) bool) []int {
	f := firsts{grouper: grouper{o: o}, byText: map[string][]int{}, byWord: map[int][]int{}, apart: apart}
	f.at = make([]int, len(items))
	for i, at := range f.prepare(items) {
		f.at[at] = i
	}
	out := make([]int, len(items))
	for i := range items {
		if out[i] = f.first(i); out[i] == i {
			f.keep(i)
		}
	}
	return out
}

// firsts are the items that none ahead of them says, by where they may be found; all lists are of places, in order.
type firsts struct {
	grouper
	at         []int // places in grouper.items
	byText     map[string][]int
	byWord     map[int][]int
	withVector []int
	apart      func(a, b int) bool
}

// item is the one at place i.
func (f *firsts) item(i int) *item { return &f.items[f.at[i]] }

// rare are the words of which any restatement by words has one.
func (it *item) rare() []int { return it.words[:min(it.prefix, len(it.words))] }

func (f *firsts) keep(i int) {
	it := f.item(i)
	f.byText[it.Text] = append(f.byText[it.Text], i)
	for _, w := range it.rare() {
		f.byWord[w] = append(f.byWord[w], i)
	}
	if len(it.unit) > 0 {
		f.withVector = append(f.withVector, i)
	}
}

// first looks for the first that says the same as i; i if there is none.
func (f *firsts) first(i int) int {
	it, best := f.item(i), i
	look := func(places []int) {
		for _, k := range places {
			if k >= best {
				return
			}
			if other := f.item(k); (other.Scope == it.Scope && other.Text == it.Text || f.compare(other, it).same) &&
				(f.apart == nil || !f.apart(k, i)) {
				best = k
				return
			}
		}
	}
	look(f.byText[it.Text])
	for _, w := range it.rare() {
		look(f.byWord[w])
	}
	if len(it.unit) > 0 {
		look(f.withVector)
	}
	return best
}
