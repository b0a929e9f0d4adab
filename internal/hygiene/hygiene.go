// Package hygiene keeps what a process that holds keys leaves behind small: no core dump, no look into its memory by other
// processes of the same user.
//
// What it cannot do, because the language does not offer it, is to wipe every copy of a value: the collector moves
// nothing, but strings and buffers of requests stay in memory until they are used again. Keys are held in locked pages by package
// seal/locked. A stack trace of Go shows addresses and small numbers, never what a pointer leads to; GOTRACEBACK=none
// in the service's unit leaves even these out.
package hygiene

// Harden makes this process harder to look into, as far as the system allows, and tells what it could not do and what
// the machine should not have. It is for the start of a server, before any key is read.
func Harden() (warnings []string) { return harden() }
