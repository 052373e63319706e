// Package mutation shows that no check can be deleted unseen: it takes one of
// them out of the sources at a time, and has a test fail.
//
// It guarantees that every deletion of its list still compiles and breaks one of
// the tests named beside it, and touches no file of the working tree: go test is
// given the changed source as an overlay. A check whose text is no longer found is
// an error, so that the list keeps up with the code.
//
// Nobody imports it.
package mutation
