//go:build race

package store_test

// stride thins the exhaustive tests out under the race detector, which makes them ten times as slow.
const stride = 5
