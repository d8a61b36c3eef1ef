package template_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// override matches a parameter that samconfig.toml sets, on a line of its own.
var override = regexp.MustCompile(`(?m)^ *"([A-Z]\w*)=(.*)",?$`)

func TestSamconfig(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile(root + "/samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	overrides := override.FindAllStringSubmatch(string(config), -1)
	if len(overrides) == 0 {
		t.Error("samconfig.toml sets no parameter")
	}
	for _, o := range overrides {
		if wrong := deployed.rejects(o[1], o[2]); wrong != "" {
			t.Error(wrong)
		}
	}
}

func TestRejects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, value, want string }{
		{"Architecture", "arm64", ""},
		{"Architecture", "arm", "Architecture cannot be arm"},
		{"ThrottlingRate", "0", "ThrottlingRate cannot be 0"},
		{"ThrottlingRate", "many", "ThrottlingRate cannot be many"},
		{"EgressAllow", "10.0.0.0/8", ""},
		{"EgressAllow", "10.0.0.0/8, 10.1.0.0/16", "EgressAllow cannot be 10.0.0.0/8, 10.1.0.0/16"},
		{"AllowedCallers", "192.0.2.0/24,2001:db8::/32", ""},
		{"AllowedCallers", "vpce-0123456789abcdef0,vpce-0123456789abcdef1", ""},
		{"AllowedCallers", "192.0.2.0/24,vpce-0123456789abcdef0", "AllowedCallers cannot be 192.0.2.0/24,vpce-0123456789abcdef0"},
		{"CreateDatabaseConcurrency", "1", "there is no parameter CreateDatabaseConcurrency"},
	} {
		if got := deployed.rejects(tc.name, tc.value); got != tc.want {
			t.Errorf("%s=%s: %q, want %q", tc.name, tc.value, got, tc.want)
		}
	}
}

// rejects returns why a parameter cannot have the value, or "" if it can.
func (t template) rejects(name, value string) string {
	parameter := at(t.root, "Parameters", name)
	if parameter == nil {
		return "there is no parameter " + name
	}
	allowed := texts(at(parameter, "AllowedValues"))
	number, err := strconv.Atoi(value)
	minimum, _ := strconv.Atoi(textAt(parameter, "MinValue")) // 0 if there is none
	maximum, unlimited := strconv.Atoi(textAt(parameter, "MaxValue"))
	switch {
	case len(allowed) > 0 && !slices.Contains(allowed, value),
		!regexp.MustCompile(textAt(parameter, "AllowedPattern")).MatchString(value),
		textAt(parameter, "Type") == "Number" && (err != nil || number < minimum || unlimited == nil && number > maximum):
		return fmt.Sprintf("%s cannot be %s", name, value)
	}
	return ""
}
