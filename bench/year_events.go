package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// statement is what a text says: the value of a fact. fact is -1 if it says none.
type statement struct {
	fact  int
	value string
}

// yearEvent is something told, or, with ask, something needed.
type yearEvent struct {
	at time.Time
	statement
	text, source string
	wrong        bool // never true
	correction   bool // the fact has changed
	names        bool // what the correction supersedes
	ask          string
	who, kind    int // the person and the kind of fact that it is about
	// with is what is needed for the same purpose, asked next; nil if nothing is.
	with *yearEvent
}

// factKind is what can be known of a person. The verbs of say take the person and the value, ask the person.
type factKind struct {
	say, ask []string
	chat     string
	values   []string
}

func factKinds() []factKind {
	return []factKind{
		{
			[]string{"%s's office is in %s now.", "The office of %s moved to %s.", "%s works from the %s office."},
			[]string{"where is the office of %s", "in which city does %s work"},
			"%s said that the office was noisy again.",
			[]string{"Lisbon", "Oslo", "Krakow", "Turin", "Leeds", "Ghent", "Porto", "Malmo", "Basel"},
		},
		{
			[]string{"%s drives a %s car.", "The car of %s is a %s.", "%s came in the %s car."},
			[]string{"which car does %s drive", "what car is it that %s has"},
			"%s complained about parking the car.",
			[]string{"Volvo", "Fiat", "Skoda", "Mazda", "Toyota", "Saab", "Peugeot", "Honda"},
		},
		{
			[]string{"%s leads the %s project.", "The project that %s leads is %s.", "%s took over project %s."},
			[]string{"what project does %s lead", "which project is led by %s"},
			"%s was late for the project meeting.",
			[]string{"Falcon", "Juniper", "Harbor", "Quartz", "Meadow", "Comet", "Lantern", "Orchid"},
		},
		{
			[]string{"%s is allergic to %s.", "The allergy of %s is %s.", "%s must not eat %s, an allergy."},
			[]string{"what is %s allergic to", "which allergy does %s have"},
			"%s asked whether an allergy can pass.",
			[]string{"peanuts", "shrimp", "milk", "wheat", "celery", "mustard", "soy", "sesame"},
		},
		{
			[]string{"%s's standup is on %s.", "The standup of %s moved to %s.", "%s holds the standup each %s."},
			[]string{"when is the standup of %s", "on which day does %s hold the standup"},
			"%s thought that the standup took too long.",
			[]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		},
		{
			[]string{"%s prefers %s as a drink.", "The drink for %s is %s.", "%s drinks %s."},
			[]string{"what does %s like to drink", "which drink should %s get"},
			"%s spilled a drink at lunch.",
			[]string{"espresso", "matcha", "cocoa", "cider", "lemonade", "rooibos", "kefir", "oolong"},
		},
		{
			[]string{"%s reports to manager %s.", "The manager of %s is %s.", "%s got %s as manager."},
			[]string{"who is the manager of %s", "to which manager does %s report"},
			"%s waited for the manager all morning.",
			[]string{"Ferreira", "Lindqvist", "Okafor", "Novak", "Tanaka", "Moreau", "Haddad", "Kowalski"},
		},
		{
			[]string{
				"%s's deploy script is written in %s.", "The deploy script of %s uses %s.",
				"%s ported the deploy script to %s.",
			},
			[]string{"what language is the deploy script of %s in", "how is %s's deploy script written"},
			"%s watched the deploy fail twice.",
			[]string{"Python", "Bash", "Ruby", "Perl", "Lua", "Rust", "Kotlin", "Elixir"},
		},
	}
}

func people() []string {
	return []string{
		"Ada", "Bruno", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Lars", "Mara",
		"Nadia", "Omar", "Petra", "Quentin", "Rosa", "Sven", "Tomas", "Uma", "Viktor", "Wanda", "Xenia", "Yusuf", "Zoe",
		"Aline", "Boris", "Celia", "Darius",
	}
}

// topics are what people chat about: enough that chatter is seldom the same twice.
func topics() []string {
	return []string{
		"football", "gardening", "the weather", "holidays", "a film", "cooking", "trains", "the news", "chess", "music",
		"hiking", "the neighbours", "painting", "a wedding", "cycling", "birds", "the museum", "sailing", "taxes",
		"dogs", "furniture", "the marathon", "camping", "a novel", "mushrooms", "the theatre", "skiing", "photographs",
		"bread", "the festival",
	}
}

// chronicle makes up a year.
type chronicle struct {
	rng    *rand.Rand
	kinds  []factKind
	names  []string
	facts  []fact
	recent []int // facts told or needed lately, oldest first
	events []yearEvent
}

// fact is one thing that may be known.
type fact struct {
	who, kind int
	begins    int // the day on which it is first told
	value     string
	told      string // the text that was used last
}

// newYear makes up what is told and needed on so many days about so many facts, in order of time.
func newYear(seed uint64, days, facts int) []yearEvent {
	c := &chronicle{rng: rand.New(rand.NewPCG(seed, 11)), kinds: factKinds(), names: people()}
	for _, place := range c.rng.Perm(len(c.names) * len(c.kinds))[:facts] {
		c.facts = append(c.facts, fact{
			who: place / len(c.kinds), kind: place % len(c.kinds), begins: c.rng.IntN(days/2 + 1),
		})
	}
	start := time.Date(2025, 1, 1, 8, 0, 0, 0, time.UTC)
	for day := range days {
		first := len(c.events)
		c.day(day)
		for i := range c.events[first:] {
			c.events[first+i].at = start.AddDate(0, 0, day).Add(time.Duration(i) * 20 * time.Minute)
		}
	}
	return c.events
}

// day makes up what happens on a day: first what is told, then what is needed, as chatter comes in between.
func (c *chronicle) day(day int) {
	for i := range c.facts {
		switch {
		case c.facts[i].begins == day:
			c.change(i, false)
		case c.facts[i].begins < day && c.rng.IntN(120) == 0:
			c.change(i, true)
		}
	}
	for range 2 {
		if i, ok := c.some(day); ok {
			c.restate(i)
		}
	}
	if i, ok := c.some(day); ok && c.rng.Float64() < .3 {
		c.hearsay(i)
	}
	for range yearNeeds {
		c.chatter()
		if i, ok := c.some(day); ok {
			c.ask(i)
		}
	}
}

// some draws a fact that was told: half the time one that came up lately, else by its rank.
func (c *chronicle) some(day int) (int, bool) {
	if len(c.recent) > 0 && c.rng.IntN(2) == 0 {
		return c.recent[c.rng.IntN(len(c.recent))], true
	}
	i := int(math.Exp(c.rng.Float64()*math.Log(float64(len(c.facts))))) - 1
	for range c.facts {
		if c.facts[i].value != "" && c.facts[i].begins <= day {
			return i, true
		}
		i = (i + 1) % len(c.facts)
	}
	return 0, false
}

// came notes that a fact came up: the last ten are more likely to do so again.
func (c *chronicle) came(i int) {
	c.recent = append(c.recent, i)
	c.recent = c.recent[max(0, len(c.recent)-10):]
}

// other draws a value that the fact does not have.
func (c *chronicle) other(f *fact) string {
	values := c.kinds[f.kind].values
	at := c.rng.IntN(len(values))
	if values[at] == f.value {
		at = (at + 1) % len(values)
	}
	return values[at]
}

func (c *chronicle) words(f *fact, value string) string {
	say := c.kinds[f.kind].say
	return fmt.Sprintf(say[c.rng.IntN(len(say))], c.names[f.who], value)
}

func (c *chronicle) change(i int, correction bool) {
	f := &c.facts[i]
	f.value = c.other(f)
	f.told = c.words(f, f.value)
	c.events = append(c.events, yearEvent{
		statement: statement{i, f.value}, text: f.told, source: "notes", correction: correction,
		names: c.rng.Float64() < .7, who: f.who, kind: f.kind,
	})
	c.came(i)
}

func (c *chronicle) restate(i int) {
	f := &c.facts[i]
	if c.rng.Float64() >= .4 {
		f.told = c.words(f, f.value)
	}
	c.events = append(c.events, yearEvent{
		statement: statement{i, f.value}, text: f.told, source: c.names[f.who], who: f.who, kind: f.kind,
	})
}

func (c *chronicle) hearsay(i int) {
	f := &c.facts[i]
	value := c.other(f)
	c.events = append(c.events, yearEvent{
		statement: statement{i, value}, text: c.words(f, value), source: "hearsay", wrong: true, who: f.who,
		kind: f.kind,
	})
}

func (c *chronicle) chatter() {
	kind := c.rng.IntN(len(c.kinds))
	who := c.rng.IntN(len(c.names))
	pick := func(words []string) string { return words[c.rng.IntN(len(words))] }
	text := fmt.Sprintf(c.kinds[kind].chat, c.names[who])
	text += fmt.Sprintf(" %s talked of %s and %s.", pick(c.names), pick(topics()), pick(topics()))
	c.events = append(c.events, yearEvent{
		statement: statement{fact: -1}, text: text, source: "chat", who: who, kind: kind,
	})
}

// ask needs a fact; now and then its partner, another fact that has nothing to do with it, is needed for the same
// purpose.
func (c *chronicle) ask(i int) {
	e := c.question(i)
	c.came(i)
	if partner := i ^ 1; c.rng.IntN(4) == 0 && partner < len(c.facts) && c.facts[partner].value != "" {
		next := c.question(partner)
		e.with = &next
	}
	c.events = append(c.events, e)
}

func (c *chronicle) question(i int) yearEvent {
	f := &c.facts[i]
	ask := c.kinds[f.kind].ask
	return yearEvent{
		statement: statement{i, f.value}, ask: fmt.Sprintf(ask[c.rng.IntN(len(ask))], c.names[f.who]), who: f.who,
		kind: f.kind,
	}
}

// yearDim is the number of dimensions of the vectors.
const yearDim = 128

// vector is what an embedder might make of an event: a direction for the person, one for the kind of fact, a weaker one
// for the value, and something of its own. A question has no value, and chatter is less about its kind; so vectors
// bring questions near to what answers them, and do not tell what is true now from what was.
func (e *yearEvent) vector(seed uint64) []float32 {
	v := make([]float32, yearDim)
	add := func(weight float64, of string) {
		h := fnv.New64a()
		h.Write([]byte(of))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		for i := range v {
			v[i] += float32(weight * r.NormFloat64() / math.Sqrt(yearDim))
		}
	}
	about := 1.
	if e.fact < 0 {
		about = .7
	}
	add(1, fmt.Sprint("who", e.who))
	add(about, fmt.Sprint("kind", e.kind))
	if e.ask == "" && e.fact >= 0 {
		add(.6, "value "+e.value)
	}
	add(.5, "own "+e.text+e.ask)
	return v
}
