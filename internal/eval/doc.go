// Package eval measures how well recall finds what it should: it reads a collection with judgements, remembers its
// documents in a temporary store through the public API, asks its questions, and reports measures with intervals.
//
//	set, err := eval.Load("locomo10.json", eval.LoadOptions{Format: eval.LoCoMo})
//	report, err := eval.Run(ctx, set, eval.Options{Ablate: true})
//	err = report.WriteText(os.Stdout)
//
// # Measures
//
// For one question let gold be its relevant documents and list the ids that recall gave, best first, to depth Depth.
//
//	recall@k = |list[:k] ∩ gold| / |gold|
//	hit@k    = 1 if list[:k] ∩ gold is not empty, else 0
//	ndcg@k   = DCG(list[:k]) / DCG(ideal[:k]),  DCG = sum of gain / log2(rank+1), rank from 1
//	mrr      = 1 / rank of the first relevant document within rank 100, else 0
//	map      = sum over relevant documents in list of (relevant up to its rank / its rank), divided by |gold|
//
// The gain is the document's grade, 1 where a collection does not grade. The value of a group is the mean over its
// questions; its interval is the percentile bootstrap over questions, 95 %. Documents that recall did not return are
// not in the list; with Options.Fill they follow it in the collection's order, as the published ladders count.
//
// # Invariants
//
//   - Only the text of a question reaches the engine: no answer, category or judgement.
//   - The engine runs with its default settings, apart from those that Options names, which are in the report.
//   - The clock stands at the time of the last document (of its space), for remembering and for asking.
//   - The same data, options and engine give the same report but for the times.
//
// # Concurrency
//
// Load, Run and Compare work on the caller's goroutine; a Set and a Report are only read by them.
//
// # Durability
//
// None: the store is made in a temporary directory and removed. A golden set is asked of a space that exists, and
// writes nothing to it.
//
// # Sources
//
// K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002, for ndcg with the discount and
// linear gain of trec_eval; B. Efron, "Bootstrap methods", 1979; M. Smucker, J. Allan, B. Carterette, "A comparison of
// statistical significance tests for information retrieval evaluation", CIKM 2007, for the randomisation test.
package eval
