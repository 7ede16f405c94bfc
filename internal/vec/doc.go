// Package vec computes with embeddings: dot products, norms, the check that a vector
// may be stored, and the views between float32 and bytes. Its kernels are assembly,
// chosen when the program starts by what the processor offers; its twin in plain Go
// runs everywhere else. This is the one package of Engram with assembly.
//
//	if err := vec.Validate(query); err != nil {
//		return err
//	}
//	vec.DotRows(query, block, stride, scores) // exact scan: one score a row
//	cosine := scores[i] / (vec.Norm(query) * norms[i])
//
// # Invariants
//
// One dot product has one value, to the last bit: the same on every processor, in
// every implementation ("avx512", "avx2+fma", "neon", "go"), from [Dot] and from
// [DotRows], at every row, batch and alignment. A ranked list is therefore the same after
// a restart, a compaction or a move to another machine, and replicas agree. Only the
// payload of a NaN is left open. The value of Dot(a, b) with n elements is defined by
// the order of its roundings:
//
//  1. There are 64 lanes, all +0 at first. The vectors are cut into blocks of 64, the
//     last one filled up with zeros (there is no last one if 64 divides n).
//  2. For each block in order, lane[i] = round(a[i]*b[i] + lane[i]): a fused
//     multiply-add, rounded once to float32, to nearest, ties to even, with subnormals.
//  3. The lanes are folded: lane[i] += lane[i+h] for i < h, with h = 32, 16, 8, 4, 2, 1.
//     The result is lane[0].
//
// Each product thus passes k = ceil(n/64)+6 roundings, and with u = 2^-24
//
//	|Dot(a, b) - exact| <= k*u/(1-k*u) * sum |a[i]*b[i]| + n * 2^-149
//
// unless a sum leaves the range of float32, which [Validate] excludes: between two
// vectors it accepts, neither the result nor any step towards it overflows.
//
// No kernel reads or writes outside the slices it is given, whatever their length or
// alignment; prefetches, which cannot fault, may name addresses behind them.
//
// # Concurrency
//
// Every function may be called from any goroutine; none keeps its arguments or changes
// more than the destination it is given. Nothing is allocated except where said. A call
// over a long set returns from assembly to Go every mebibyte or row, whichever is more,
// because the scheduler and the collector cannot stop a goroutine inside assembly.
//
// # Format
//
// Vectors are stored as IEEE 754 binary32, little-endian, in order of the elements, with
// nothing between them: see [Bytes] and [Floats].
//
// # Building without assembly
//
// The build tag purego selects the twin on every processor.
//
// # Sources
//
// N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, section
// 3.1 and lemma 3.1 (the error bound). S. Boldo, G. Melquiond, Emulation of FMA and
// Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd, IEEE Trans.
// Computers 57(4), 2008 (the twin's fused multiply-add).
package vec
