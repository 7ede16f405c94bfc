//go:build !race

package store_test

// stride is 1: the exhaustive tests leave nothing out.
const stride = 1
