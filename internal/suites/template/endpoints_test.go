package template_test

import (
	"slices"
	"strings"
)

// checkEndpoints compares the policies of the VPC endpoints with what the functions
// in the VPC call.
func checkEndpoints(t template, programs map[string]program) []string {
	needed := map[string]set{}
	for _, f := range t.functions() {
		if f.properties["VpcConfig"] == nil {
			continue
		}
		permissions, _ := t.needs(f, programs[f.name]) // checkRoles reports the problems
		for line := range permissions {
			action, _, _ := strings.Cut(line, " ")
			service, _, _ := strings.Cut(action, ":")
			if needed[service] == nil {
				needed[service] = set{}
			}
			needed[service][action] = true
		}
	}
	var found []string
	for name, properties := range t.ofType("AWS::EC2::VPCEndpoint") {
		parts := strings.Split(textAt(properties, "ServiceName"), ".")
		service, allowed := parts[len(parts)-1], set{}
		for _, statement := range list(at(properties, "PolicyDocument", "Statement")) {
			for _, action := range texts(at(statement, "Action")) {
				allowed[action] = true
			}
		}
		found = append(found, compare(name+"'s policy", needed[service], allowed)...)
		delete(needed, service)
	}
	for service := range needed {
		// Lambda calls these from outside the VPC, and DynamoDB and Secrets Manager call KMS. RDS asks IAM itself (rds-db).
		if !slices.Contains([]string{"logs", "xray", "ec2", "sqs", "kms", "rds-db"}, service) {
			found = append(found, "the VPC has no endpoint for "+service)
		}
	}
	return found
}
