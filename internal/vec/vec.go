package vec

import "fmt"

// kernel is one implementation of the inner loops. Its methods take slices of the lengths
// that Dot, DotRows and StreamSum have checked; all give the same bits.
type kernel uint8

const (
	kernelGo     kernel = iota // plain Go, everywhere
	kernelAVX2                 // amd64 with AVX2 and FMA
	kernelAVX512               // amd64 with AVX-512F
	kernelNEON                 // arm64
)

func (k kernel) String() string {
	switch k {
	case kernelAVX512:
		return "avx512"
	case kernelAVX2:
		return "avx2+fma"
	case kernelNEON:
		return "neon"
	default:
		return "go"
	}
}

// active is the fastest kernel of this processor. It is set once, before any function
// of the package can be called, and never changes.
var active = supported()[0]

// callElements bounds the elements of one call into assembly (1 MiB of float32, some 50
// microseconds from memory), since goroutines cannot be preempted there: the collector
// would wait for a scan of 300 MB. Chosen: in BenchmarkScanAgainstStream 2^16, 2^18, 2^20
// and no bound at all differ by less than two runs of the same.
const callElements = 1 << 18

// Implementation names the kernels in use: "avx512", "avx2+fma", "neon" or "go".
func Implementation() string { return active.String() }

// Dot returns the inner product of a and b, by the order of roundings that the package
// comment defines. The lengths should be equal; elements of the longer vector behind
// the end of the shorter are ignored, and without elements the result is 0. The result
// may be infinite or NaN for vectors that Validate refuses.
func Dot(a, b []float32) float32 { return active.product(a, b) }

// product is Dot with the kernel k.
func (k kernel) product(a, b []float32) float32 {
	n := min(len(a), len(b))
	if n == 0 {
		return 0
	}
	return k.dot(a[:n], b[:n])
}

// DotRows sets out[i] to the inner product of query and row i of a row-major set, for
// every i < len(out): the same bits as Dot(query, rows[i*stride:i*stride+len(query)]).
// stride is the distance of two rows in float32 and at least len(query); what lies
// between the end of a row and the next row is not looked at. Only len(query) elements
// of the last row need to be there. out must not overlap query or rows.
//
// DotRows is made for scans: called for hundreds of rows at once it runs as fast as
// memory can be read (StreamSum). A set without rows or a query without elements costs
// nothing; the latter gives zeros. DotRows panics, as an index out of range does, if
// stride is below len(query) or the rows do not lie within the slice.
func DotRows(query, rows []float32, stride int, out []float32) {
	active.scan(query, rows, stride, out)
}

// scan is DotRows with the kernel k.
func (k kernel) scan(query, rows []float32, stride int, out []float32) {
	if len(out) == 0 {
		return
	}
	if stride < len(query) || len(rows) < len(query) {
		panicRows(len(query), len(rows), stride, len(out))
	}
	if len(query) == 0 {
		clear(out)
		return
	}
	if (len(rows)-len(query))/stride < len(out)-1 {
		panicRows(len(query), len(rows), stride, len(out))
	}
	batch := max(1, callElements/len(query))
	for len(out) > batch {
		k.dotRows(query, rows, stride, out[:batch])
		rows, out = rows[batch*stride:], out[batch:]
	}
	k.dotRows(query, rows, stride, out)
}

// panicRows stops a call whose slices do not fit: the assembly would read outside them.
func panicRows(query, rows, stride, count int) {
	panic(fmt.Sprintf("vec: DotRows of %d elements over %d rows with stride %d does not fit %d elements of rows",
		query, count, stride, rows))
}

// StreamSum reads every element of rows once, as fast as this processor can from one
// thread, and returns their sum (so that the reads cannot be left out; its rounding is
// not defined and differs between implementations). It is the bandwidth yardstick that
// benchmarks hold scans against: 4*len(rows) bytes divided by its time.
func StreamSum(rows []float32) float32 { return active.streamSum(rows) }

// streamSum is StreamSum with the kernel k.
func (k kernel) streamSum(rows []float32) float32 {
	const unit = 128 // elements that every kernel's stream takes at a time
	var sum float32
	for len(rows) >= unit {
		n := min(len(rows)/unit*unit, callElements)
		sum += k.stream(rows[:n])
		rows = rows[n:]
	}
	for _, x := range rows {
		sum += x
	}
	return sum
}
