// Package embed makes vectors of texts by asking a service that speaks the embeddings call of OpenAI's API, as many
// local servers do. Nothing in Engram uses it unless somebody asks for it: the engine works without an embedder.
//
//	e := embed.OpenAI{URL: "http://localhost:11434/v1", Model: "nomic-embed-text"}
//	report, err := space.ReembedBy(ctx, e.Embed, engram.ReembedOptions{Model: e.Model})
//
// # Invariants
//
//   - There is one vector for each text, in their order, or an error.
//   - The key goes to the service at URL, not where that redirects to, and is in no error.
//
// # Concurrency
//
// An OpenAI is not changed by its methods: any number of calls may run beside each other.
//
// # Durability
//
// None: nothing is kept.
package embed
