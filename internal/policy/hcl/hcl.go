// Package hcl reads Vault policy files, written in HCL or in JSON, into policies.
//
// The HCL grammar is the vendor's own (github.com/hashicorp/hcl, version 1); a text whose first character is "{" is JSON. The reader is strict: what
// it does not know it refuses, because a restriction that is silently ignored is a hole. Each error names the file and line and what to do. A path may
// stand in a file several times, as the vendor has it; its rules then merge. A key twice in one block is refused.
package hcl

import (
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/policy"
)

// The bounds on what is read.
const (
	MaxSize  = 512 << 10 // bytes of a file
	MaxDepth = 12        // blocks, objects and lists inside each other; a real file has 4
	MaxRules = 10000     // paths in a file
)

// maxErrors bounds how many errors of one file are told at once.
const maxErrors = 20

// Error is one fault of a policy file.
type Error struct {
	File string
	Line int // 0 when the fault has no one line
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Parse reads the policy called name. file is what errors call the text; when it is empty they use the name. The error, if any, joins every [Error] found.
func Parse(name, file string, src []byte) (*policy.Policy, error) {
	if file == "" {
		file = name
	}
	if len(src) > MaxSize {
		return nil, &Error{File: file, Err: fmt.Errorf("policy of %d bytes: at most %d are allowed; split it", len(src), MaxSize)}
	}
	top, fault := parseText(src)
	if fault != nil {
		fault.File = file
		return nil, fault
	}
	r := reader{file: file, policy: &policy.Policy{Name: name, Text: string(src)}}
	r.top(top)
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	return r.policy, nil
}

func parseText(src []byte) (*node, *Error) {
	for _, b := range src {
		if b == '{' {
			return parseJSON(src)
		}
		if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			break
		}
	}
	return parseHCL(src)
}
