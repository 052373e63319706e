// Command nothing is what any Go program costs before it does anything.
package main

func main() {}
