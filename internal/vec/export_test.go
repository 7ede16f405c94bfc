package vec

// Impl is one implementation, for tests and benchmarks that run all of them.
type Impl struct {
	Name      string
	Dot       func(a, b []float32) float32
	DotRows   func(query, rows []float32, stride int, out []float32)
	StreamSum func(rows []float32) float32
}

// Impls returns every implementation this processor can run; the last one is plain Go.
func Impls() []Impl {
	var list []Impl
	for _, k := range supported() {
		list = append(list, Impl{k.String(), k.product, k.scan, k.streamSum})
	}
	return list
}

// Decode is Floats by copying, which only big-endian or misaligned data needs otherwise.
var Decode = decode

// Encode returns the encoding of v, made as big-endian processors make it.
func Encode(v []float32) []byte {
	b := make([]byte, floatBytes*len(v))
	encode(b, v)
	return b
}

// CodesImpl is one implementation of DotCodeRows, for tests and benchmarks that run all of them.
type CodesImpl struct {
	Name string
	Rows func(query []int16, rows []int8, out []int32)
}

// CodesImpls returns every implementation this processor can run; the last one is plain Go.
func CodesImpls() []CodesImpl {
	var list []CodesImpl
	for _, k := range supportedCodes() {
		list = append(list, CodesImpl{k.String(), k.scan})
	}
	return list
}
