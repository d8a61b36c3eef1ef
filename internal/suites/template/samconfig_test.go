package template_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// override is a parameter that samconfig.toml sets, on a line of its own.
var override = regexp.MustCompile(`(?m)^ *"([A-Z]\w*)=(.*)",?$`)

func TestSamconfigSetsParametersToWhatTheyTake(t *testing.T) {
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
		if wrong := deployed.refuses(o[1], o[2]); wrong != "" {
			t.Error(wrong)
		}
	}
	for value, want := range map[string]string{
		"Sometimes": "DeploymentType does not take Sometimes", "AllAtOnce": "",
	} {
		if got := deployed.refuses("DeploymentType", value); got != want {
			t.Errorf("of %s it says %q, not %q", value, got, want)
		}
	}
}

// refuses says why a parameter can't be set to the value, if it can't.
func (t template) refuses(name, value string) string {
	parameter := at(t.root, "Parameters", name)
	if parameter == nil {
		return "there is no parameter " + name
	}
	allowed := texts(at(parameter, "AllowedValues"))
	number, err := strconv.Atoi(value)
	least, _ := strconv.Atoi(textAt(parameter, "MinValue")) // where there is none, the least is 0
	most, limitless := strconv.Atoi(textAt(parameter, "MaxValue"))
	switch {
	case len(allowed) > 0 && !slices.Contains(allowed, value),
		!regexp.MustCompile(textAt(parameter, "AllowedPattern")).MatchString(value),
		textAt(parameter, "Type") == "Number" && (err != nil || number < least || limitless == nil && number > most):
		return fmt.Sprintf("%s does not take %s", name, value)
	}
	return ""
}
