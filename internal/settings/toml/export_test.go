package toml

import (
	"fmt"
	"slices"
)

// ComparePlain says how a file of which plain tables are taken differs from the same file decoded whole; "" if it does not, or if
// it has to be decoded whole anyway.
func ComparePlain(src []byte) string {
	plain, ok := decodePlain(src)
	if !ok {
		return ""
	}
	var whole projectFile
	if err := decodeStrictly(src, &whole); err != nil {
		return fmt.Sprintf("whole: %v", err)
	}
	if len(whole.Settings) == 0 && len(plain.Settings) == 0 {
		whole.Settings, plain.Settings = nil, nil
	}
	if a, b := fmt.Sprintf("%#v", plain.projectFile), fmt.Sprintf("%#v", whole); a != b {
		return fmt.Sprintf("taken apart %s\nwhole %s", a, b)
	}
	ix := indexOf(src)
	if envs, all := ix.order("env", whole.Env), ix.order("settings", whole.Settings); !slices.Equal(envs, plain.envs) || !slices.Equal(all, plain.settings) {
		return fmt.Sprintf("taken apart in the order %q %q, whole %q %q", plain.envs, plain.settings, envs, all)
	}
	return ""
}

// IsPlain says that a file needs not be decoded whole.
func IsPlain(src []byte) bool {
	_, ok := decodePlain(src)
	return ok
}
