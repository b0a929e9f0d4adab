// Command keephold looks after a secret for its whole life.
package main

func main() {}
