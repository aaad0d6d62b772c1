package config

import (
	"fmt"
	"strconv"
	"strings"
)

// A Share is a part of one CPU: 0.05 is 5%. 0 is no bound.
type Share float64

func (s Share) String() string { return strconv.FormatFloat(float64(s)*100, 'g', 4, 64) + "%" }

// maxShare is more than any machine has.
const maxShare = 8192

// ParseShare reads a share as people write it: "5%", or "0".
func ParseShare(text string) (Share, error) {
	digits, isPercent := strings.CutSuffix(text, "%")
	n, ok := parseNumber(digits)
	if !ok || !isPercent && n.Sign() != 0 {
		return 0, fmt.Errorf("%q is no share of a CPU: give one such as 5%%, or 0 for no bound", text)
	}
	percent, _ := n.Float64()
	if percent > 100*maxShare {
		return 0, fmt.Errorf("%q is more than all CPUs of a machine: 100%% is one", text)
	}
	return Share(percent / 100), nil
}

func (v value) budget() *Share {
	if !v.isScalar() {
		v.fail("budget must be a share of a CPU such as 5%%, not %s", v.kind())
		return nil
	}
	s, err := ParseShare(v.node.Value)
	if err != nil {
		v.fail("budget %s", err)
		return nil
	}
	return &s
}
