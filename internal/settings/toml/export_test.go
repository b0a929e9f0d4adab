package toml

import "fmt"

// CompareApart says how decoding in parts differs from decoding the file whole; "" if it does not, or is not done.
func CompareApart(src []byte) string {
	apart, ok := decodeApart(src, indexOf(src))
	if !ok {
		return ""
	}
	var whole projectFile
	if err := decodeStrictly(src, &whole); err != nil {
		return fmt.Sprintf("whole: %v", err)
	}
	if len(whole.Settings) == 0 && len(apart.Settings) == 0 {
		whole.Settings, apart.Settings = nil, nil
	}
	if a, b := fmt.Sprintf("%#v", apart), fmt.Sprintf("%#v", whole); a != b {
		return fmt.Sprintf("in parts %s\nwhole %s", a, b)
	}
	return ""
}
