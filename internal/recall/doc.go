// Package recall answers questions: it gathers candidates by words, meaning, association and time, filters them, gives
// each one score that is a sum of terms, and returns the best with their terms.
//
//	var engine recall.Engine
//	answer, err := engine.Recall(ctx, corpus, recall.Query{
//		Text: "harbour meetings", Embedding: v, Now: now, Limit: 10, Filters: recall.NoFilters(),
//	})
//
// # Population
//
// A memory takes part if it is current (with ValidAt: current or superseded, and valid then), has not expired
// (ExpiresAt <= Now is gone) and passes the filters. That is decided first: a memory that does not take part is not
// ranked, not counted, and passes no activation on. Its neighbours in a session stay neighbours of it, but those of
// one that is not current or has expired are neighbours of each other.
//
// # Score
//
//	score = words + meaning + association        each at least 0, in nats
//
// words is BM25 (package lexical): a sum of inverse document frequencies, each about minus the logarithm of the
// probability that a memory holds the term by chance.
//
// Where memories are long, terms that the best by words have in common are asked for too, each by its share of what
// these say: relevance models (topic.go).
//
// meaning is how unlikely it is that a memory which has nothing to do with the question is as near. Let z be by how
// many standard deviations a memory's similarity lies above the median of the population, and Q the upper tail of the
// normal distribution, continued beyond Linear as an exponential. A memory's surprise is
//
//	s = max(0, -ln Q(z) + ln share)      share = min(Share, MaxChance/n) of n memories
//
// so that all of a background but its nearest share get nothing. The spread is read from the upper sixteenth of the
// similarities: it is that of the background even where a few memories are very near, and order statistics do not
// depend on the order of memories, as sums of floating point numbers would. Populations near or below Prior are
// compared with random directions (center 0, variance 1/dim) instead. The median and the spread are those of
// similarities as the codes of vectors have them (package ann); the nearest, and whatever may be above the floor, are
// exact.
//
//	meaning = weight * s * (best words) / (best s)      weight * s where no words match
//
// Nats of words and of meaning are not added as they are: a question has few words or many, and a nearest memory may
// stand out by hundreds. weight says how much the vectors tell about this question. Its separation e is the surprise of
// the nearest memory beyond what the nearest of n background memories gives, in nats:
//
//	e      = min(-ln n Q(z max), -ln n C(cos max))
//	weight = 0 if e <= 0, else (L(Steep (e-Middle)) + Extra L(Steep (e-Strong))) / (1 + Repeat r L((B-e)/2))
//
// with L(x) = 1/(1+exp(-x)). C(c) bounds the probability that a random direction has cosine c with a fixed one, once
// the direction that all vectors share is taken off both. Where the nearest memory is no nearer than chance brings some
// memory, weight is near 0 and the answer is that of the words; where it stands out, meaning overrules them. r is the
// correlation of similarities and words over the population beyond Chance standard errors: vectors that say what the
// words say are not counted twice, unless something is further apart than B = Beyond (1+5r). Ranks are not fused: a
// reciprocal rank gives the best of a random channel as much as the best of a good one.
//
// speaker and time are what the question asks for besides its words, for memories found by words or meaning: Speaker
// times the best if the question has the speaker's whole name, When times the best if it asks when and the memory
// has an expression of time, Dated times the best if the memory occurred in a time that the question names, or tells of
// one. Days are those of UTC; relative expressions in the question are relative to Now. Neither makes a hit.
//
// A question in English that names a time, and has no other word but stop words and those of asking what there was, is
// answered with the members of that time, newest first, if there are any; time is their single term, 1/(1+days before
// the end of that time).
//
// association is activation that spreads from the best by words and meaning over explicit associations and to
// neighbours in sessions (package graph). With pi the probability that a walk ends at a memory, what it has by being
// itself among the best left out,
//
//	association = Association * best * ln(1 + pi/Pi0) / ln(1 + 1/Pi0)       best: the largest words + meaning
//
// It is in proportion to the best, so that the order does not depend on how much a word is worth in a space, and
// nothing that only association speaks for outranks the best by itself.
//
// priming is the same from memories that were of use lately (Query.Ring). Its walks carry a mass of Ring at most, less
// the longer ago the uses were, and what a memory has by being used itself counts. It orders what is found otherwise:
// being used lately alone makes nothing relevant. Being recalled is no use.
//
//	priming = Priming * best * ln(1 + pi/PrimedPi0) / ln(1 + 1/PrimedPi0)
//
// Where Query.Coefficients were learnt, each term is multiplied by its own in the end, before what history may move is
// bounded: what is found, walks and what gains are in proportion to go by the terms as they are.
//
// Without text and embedding memories are ranked by time, newest first, ties by id, with the single term
//
//	recency = 1 / (1 + days since it occurred)       1 for the future
//
// # Limits
//
// Fusing finds at least what the better channel finds alone, less .005 of R@10 and nDCG@10, in the mean over seeds,
// with vectors that are good, mediocre or random, share a direction or not, and are made of words or texts
// (TestHybrid). What one question's similarities cannot tell stays:
//
//   - Vectors that repeat the words and, besides, know the answer far better than these: made-up ones that find .95 of
//     the evidence alone find .89 with the words, which alone find .78.
//   - Where the nearest memory stands out by little more than chance, the answer is that of the words, while plain
//     cosine may have what was asked for among its ten nearest.
//   - Vectors that separate well and are wrong, such as good ones given to other memories, cost the words.
//
// # Nothing relevant
//
// A memory is a hit if a word matches, or meaning is evidence, or it is associated with one of which that is true.
// Meaning alone is evidence only if n C(cos max) < Alpha, so that a random vector, among others that share a direction
// with it or not, has about the probability Alpha of finding anything.
//
// # Invariants
//
//   - The answer depends on the query and the set of memories alone, bit for bit: not on the order in which they were
//     stored, on their rows, on segments, or on other recalls. Equal scores are ordered by id. Processors of another
//     kind may round logarithms otherwise, so scores can differ there in their last bits; those of words do not,
//     where topic has no part in them.
//   - A memory's score does not depend on Limit.
//   - The terms of a hit add up to its score, and details to their term.
//
// # Concurrency
//
// An Engine serves any number of recalls at a time, each on its caller's goroutine. It takes no lock; a corpus is
// only read.
//
// # Durability
//
// None: recall writes nothing.
//
// # Sources
//
// K. Ball, "An elementary introduction to modern convex geometry", 1997, lecture 2, for the measure of spherical caps.
// The calibration is our own; [Weights] says what was measured. Reciprocal rank fusion as the road not taken: G. V.
// Cormack, C. L. A. Clarke, S. Büttcher, SIGIR 2009. The form ln(1+pi/pi0) is the log-odds of ACT-R's S - ln(fan), by
// one step of a walk, for walks of any length; J. R. Anderson, "The adaptive character of thought", 1990.
package recall
