package engram_test

import (
	"strings"

	engram "github.com/orchard9/engram-go"
)

// inGerman begins a text that is found to be in German; the others of the oracle say nothing of their language.
const inGerman = "das ist ein "

// codeOf is the code of a language as the oracle names them.
func codeOf(name string) string {
	if name == "french" {
		return "fr"
	}
	return name
}

// foundIn sets the language that a memory's content is found to be in.
func foundIn(m *engram.Memory) {
	m.Language, m.LanguageDetected = "", false
	if strings.HasPrefix(m.Content, inGerman) {
		m.Language, m.LanguageDetected = "de", true
	}
}

// speak sets the language of the next version of a memory: what the change names, else what was named, else what is
// found.
func speak(next *engram.Memory, named *string, sameContent bool) {
	switch {
	case named != nil && *named != "":
		next.Language, next.LanguageDetected = codeOf(*named), false
	case named != nil || !sameContent && (next.Language == "" || next.LanguageDetected):
		foundIn(next)
	}
}
