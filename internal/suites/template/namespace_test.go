package template_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/requestlog"
)

func TestNamespace(t *testing.T) {
	t.Parallel()
	t.Run("functions put metrics where alarms and dashboards look", func(t *testing.T) {
		t.Parallel()
		for _, f := range deployed.functions() {
			group := named(textAt(f.properties, "LoggingConfig", "LogGroup"))
			namespace := requestlog.Namespace(textAt(deployed.properties(group), "LogGroupName"))
			if namespace == "" {
				t.Fatalf("%s has no namespace", f.name)
			}
			for name, alarm := range deployed.ofType("AWS::CloudWatch::Alarm") {
				if n := textAt(alarm, "Namespace"); !strings.HasPrefix(n, "AWS/") && n != namespace {
					t.Errorf("%s looks in %s, %s puts metrics in %s", name, n, f.name, namespace)
				}
			}
			for name, dashboard := range deployed.ofType("AWS::CloudWatch::Dashboard") {
				if !strings.Contains(textAt(dashboard, "DashboardBody"), `["`+namespace+`",`) {
					t.Errorf("%s does not look in %s", name, namespace)
				}
			}
		}
	})
}
