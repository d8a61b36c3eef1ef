package template_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// set is a set of permissions, each as one line: "dynamodb:GetItem on ${Table.Arn}
// if {...}".
type set map[string]bool

func (s set) allow(resource, condition string, actions ...string) {
	for _, action := range actions {
		line := action + " on " + resource
		if condition != "" {
			line += " if " + condition
		}
		s[line] = true
	}
}

// checkRoles compares what each function's role allows with what the function's
// code calls, and what Lambda calls for it.
func checkRoles(t template, programs map[string]program) []string {
	var found []string
	used := map[string]string{}
	for _, f := range t.functions() {
		role := named(textAt(f.properties, "Role"))
		if other := used[role]; other != "" {
			found = append(found, fmt.Sprintf("%s shares its role with %s", f.name, other))
		}
		used[role] = f.name
		needed, problems := t.needs(f, programs[f.name])
		found = append(found, problems...)
		allowed, problems := t.allowed(role)
		found = append(found, problems...)
		found = append(found, compare(f.name+"'s role", needed, allowed)...)
	}
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy", "AWS::Events::EventBusPolicy"} {
		for name := range t.ofType(kind) {
			found = append(found, name+" is a policy outside the roles")
		}
	}
	for name, properties := range t.ofType("AWS::IAM::Role") {
		who := textAt(properties, "AssumeRolePolicyDocument", "Statement")
		if strings.Contains(who, "lambda.amazonaws.com") && used[name] == "" {
			found = append(found, name+" is not the role of any function")
		}
	}
	return found
}

func compare(who string, needed, allowed set) []string {
	var found []string
	for _, line := range slices.Sorted(maps.Keys(needed)) {
		if !allowed[line] {
			found = append(found, who+" lacks "+line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(allowed)) {
		if !needed[line] {
			found = append(found, who+" does not need "+line)
		}
	}
	return found
}

// allowed returns what a role allows. Anything but a plain Allow statement of the
// role's own policies is a finding.
func (t template) allowed(role string) (set, []string) {
	allowed, found := set{}, []string{}
	properties := t.properties(role)
	if trusted := textAt(properties, "AssumeRolePolicyDocument", "Statement"); trusted !=
		`[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}]` {
		found = append(found, fmt.Sprintf("%s may be assumed by others besides Lambda: %s", role, trusted))
	}
	if managed := properties["ManagedPolicyArns"]; managed != nil {
		found = append(found, fmt.Sprintf("%s has managed policies: %s", role, text(managed)))
	}
	for _, policy := range list(properties["Policies"]) {
		for _, statement := range list(at(policy, "PolicyDocument", "Statement")) {
			statement, in := unwrapped(statement)
			if at(statement, "Action") == nil || at(statement, "Resource") == nil || textAt(statement, "Effect") != "Allow" {
				found = append(found, fmt.Sprintf("%s has a statement that does not list its actions and resources: %s", role, text(statement)))
			}
			for _, resource := range texts(at(statement, "Resource")) {
				for _, condition := range conditions(at(statement, "Condition")) {
					allowed.allow(resource+in, condition, texts(at(statement, "Action"))...)
				}
			}
		}
	}
	return allowed, found
}

// conditions returns a condition as text. A condition with several partitions
// becomes one for each of them.
func conditions(condition any) []string {
	partitions := list(at(condition, "ForAllValues:StringLike", "dynamodb:LeadingKeys"))
	if len(partitions) == 0 {
		return []string{text(condition)}
	}
	var all []string
	for _, partition := range partitions {
		one := clone(condition).(object)
		one["ForAllValues:StringLike"].(object)["dynamodb:LeadingKeys"] = partition
		all = append(all, text(one))
	}
	return all
}

// unwrapped returns the statement inside Fn::If [condition, statement, NoValue],
// and the condition in words.
func unwrapped(statement any) (any, string) {
	if branches, ok := at(statement, "Fn::If").([]any); ok && len(branches) == 3 && text(branches[2]) == "${AWS::NoValue}" {
		return branches[1], " where " + text(branches[0])
	}
	return statement, ""
}

// needs returns what the role of f must allow, and calls that it cannot explain.
func (t template) needs(f function, p program) (set, []string) {
	s := set{}
	s.allow(attribute(textAt(f.properties, "LoggingConfig", "LogGroup")), "", "logs:CreateLogStream", "logs:PutLogEvents")
	if textAt(f.properties, "Tracing") == "Active" {
		s.allow("*", "", "xray:PutTraceSegments", "xray:PutTelemetryRecords")
	}
	if failures := textAt(f.properties, "EventInvokeConfig", "DestinationConfig", "OnFailure", "Destination"); failures != "" {
		s.allow(failures, "", "sqs:SendMessage")
	}
	for _, stream := range f.events("DynamoDB") {
		// As SAM's policy template DynamoDBStreamReadPolicy has it.
		arn := textAt(stream, "Stream")
		s.allow(arn, "", "dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords")
		s.allow("${"+named(arn)+".Arn}/stream/*", "", "dynamodb:ListStreams")
		s.allow(textAt(stream, "DestinationConfig", "OnFailure", "Destination"), "", "sqs:SendMessage")
	}
	if f.properties["VpcConfig"] != nil {
		// Listed in Lambda's guide to VPCs. They are for Lambda, and closed to the code.
		const notByCode = `{"Null":{"lambda:SourceFunctionArn":"true"}}`
		s.allow("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:*/* where InVpc", notByCode, "ec2:CreateNetworkInterface",
			"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")
		s.allow("* where InVpc", notByCode, "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
	}
	for _, e := range f.events("SQS") { // for Lambda, which reads the queue
		s.allow(textAt(e, "Queue"), "", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
	}
	calls := p.calls()
	s.needTable(t, f, p, calls["dynamodb"])
	s.needSecrets(t, f, p, calls["secretsmanager"])
	if len(calls["eventbridge"]) > 0 {
		s.allow(attribute(textAt(f.variables(), "EVENT_BUS_NAME")), "", prefixed("events:", calls["eventbridge"])...)
	}
	// A token of RDS is no call: it is presigned, and RDS asks IAM for the permission.
	if slices.ContainsFunc(p.decls, func(d declaration) bool { return d.symbol == module+"/internal/rdstoken.Signer.Token" }) {
		s.allow("${RdsIamUserArns} where RdsIamUsers", "", "rds-db:connect")
	}
	if len(calls["sqs"]) > 0 { // a batch needs the action of one message
		queue := cmp.Or(textAt(f.variables(), "DEAD_LETTER_QUEUE_URL"), textAt(f.variables(), "CHECK_QUEUE_URL"))
		s.allow(attribute(queue), "", "sqs:SendMessage")
	}
	s.needSharedSecrets(textAt(f.variables(), "SECRET_PREFIX"), calls["shared"])
	return s, p.unexplained(f.name, calls)
}

// calls returns the methods of AWS clients that the program's code calls, by
// service. Calls for secrets that others share are under "shared".
func (p program) calls() map[string][]string {
	found := map[string][]string{}
	each(p, func(d declaration, method *ast.SelectorExpr) {
		client, ok := method.X.(*ast.SelectorExpr)
		if !ok || client.Sel.Name != "client" {
			return
		}
		for _, path := range d.imports {
			service, ok := strings.CutPrefix(path, sdk)
			if !ok || !p.called[service+":"+method.Sel.Name] {
				continue
			}
			if strings.Contains(d.symbol, ".(*References).") {
				service = "shared"
			}
			if !slices.Contains(found[service], method.Sel.Name) {
				found[service] = append(found[service], method.Sel.Name)
			}
		}
	})
	return found
}

// unexplained returns a finding for each method that the linker kept and that calls
// did not find in the source, because the call is written in another way.
func (p program) unexplained(name string, calls map[string][]string) []string {
	var found []string
	for _, action := range slices.Sorted(maps.Keys(p.called)) {
		service, method, _ := strings.Cut(action, ":")
		if !slices.Contains(calls[service], method) && (service != "secretsmanager" || !slices.Contains(calls["shared"], method)) {
			found = append(found, fmt.Sprintf("%s is linked with %s, but no call of it was found", name, action))
		}
	}
	return found
}

// needTable adds what the calls of DynamoDB need. A transaction needs the actions
// of its parts, as DynamoDB's guide to IAM and transactions says.
func (s set) needTable(t template, f function, p program, methods []string) {
	if len(methods) == 0 {
		return
	}
	parts := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
	var actions []string
	ofTable, ofIndex := p.queries()
	for _, method := range methods {
		if method != "TransactWriteItems" && (method != "Query" || ofTable) {
			actions = append(actions, method)
		}
	}
	each(p, func(d declaration, c *ast.CompositeLit) {
		if path, name := d.qualified(c.Type); path == sdk+"dynamodb/types" && parts[name] != "" {
			actions = append(actions, parts[name])
		}
	})
	table := attribute(textAt(f.variables(), "TABLE_NAME"))
	if ofIndex {
		s.allow(table+"/index/checks", "", "dynamodb:Query")
	}
	for partition, actions := range p.accesses(f.name, actions) {
		s.allow(table, text(leadingKeys(partition)), prefixed("dynamodb:", actions)...)
	}
	s.allow(textAt(t.properties(named(table)), "SSESpecification", "KMSMasterKeyId"), through("dynamodb"), "kms:Decrypt")
}

// queries reports whether the program queries the table, and an index of it.
func (p program) queries() (ofTable, ofIndex bool) {
	each(p, func(d declaration, c *ast.CompositeLit) {
		if path, name := d.qualified(c.Type); path != sdk+"dynamodb" || name != "QueryInput" {
			return
		}
		hasIndex := slices.ContainsFunc(c.Elts, func(element ast.Expr) bool {
			pair, ok := element.(*ast.KeyValueExpr)
			if !ok {
				return false
			}
			name, ok := pair.Key.(*ast.Ident)
			return ok && name.Name == "IndexName"
		})
		ofTable, ofIndex = ofTable || !hasIndex, ofIndex || hasIndex
	})
	return ofTable, ofIndex
}

// leadingKeys returns the condition that all items are in partitions with a prefix.
func leadingKeys(prefix string) object {
	return object{"ForAllValues:StringLike": object{"dynamodb:LeadingKeys": prefix + "*"}}
}

// partitions returns the prefixes of the table's partition keys, as the package
// comment of internal/catalog lists them.
func partitions() []string {
	return []string{"account#", "cursor#", "key#", "keys#", "slot#", "pending"}
}

// limitedAccesses returns the actions, by partition, of the functions that use
// several partitions and do not need every action in all of them.
func limitedAccesses() map[string]map[string][]string {
	writes := []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem"}
	// One transaction changes all three.
	creates := map[string][]string{"account#": writes, "slot#": writes, "pending": append([]string{"Query"}, writes...)}
	return map[string]map[string][]string{
		"create-database":    creates,
		"provision-database": creates,
		"provision-resource": creates,
		// It records the server of a database and makes nothing, so nothing is pending.
		"test-database": {"account#": writes, "slot#": writes, "pending": nil},
		"sweep-secrets": {
			"account#": {"GetItem"}, "slot#": {"UpdateItem", "DeleteItem"}, "pending": {"Query", "DeleteItem"},
		},
		"list-databases": {"account#": {"GetItem", "Query"}, "cursor#": {"GetItem", "PutItem"}},
		"list-api-keys":  {"key#": {"GetItem"}, "keys#": {"Query"}},
		"revoke-api-key": {"key#": {"UpdateItem"}, "keys#": {"GetItem"}},
	}
}

// accesses returns the actions that the program needs, by partition. Without an
// entry in limitedAccesses it needs all actions in all partitions that its code
// names. An entry must have the same actions and partitions as the code, or the
// code's are returned.
func (p program) accesses(name string, actions []string) map[string][]string {
	needed := map[string][]string{}
	inCode := p.strings()
	for _, partition := range partitions() {
		if _, ok := inCode[partition]; ok {
			needed[partition] = actions
		}
	}
	limited := limitedAccesses()[name]
	union := slices.Concat(slices.Collect(maps.Values(limited))...)
	if !sameItems(union, actions) || !sameItems(slices.Collect(maps.Keys(limited)), slices.Collect(maps.Keys(needed))) {
		return needed
	}
	return limited
}

// sameItems reports whether a and b have the same items, in any order and number.
func sameItems(a, b []string) bool {
	slices.Sort(a)
	b = slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// needSecrets adds what the calls for the stack's secrets need, including the use of
// the key as Secrets Manager's guide to KMS says.
func (s set) needSecrets(t template, f function, p program, methods []string) {
	own := secrets + textAt(f.variables(), "SECRET_PREFIX") + "/*"
	var keys []string
	for _, method := range methods {
		switch method {
		case "ListSecrets", "BatchGetSecretValue": // they have no narrower resource
			s.allow("*", "", "secretsmanager:"+method)
		default:
			s.allow(own, "", "secretsmanager:"+method)
		}
		switch method {
		case "BatchGetSecretValue":
			s.allow(own, "", "secretsmanager:GetSecretValue")
			keys = append(keys, "kms:Decrypt")
		case "GetSecretValue":
			keys = append(keys, "kms:Decrypt")
		case "CreateSecret", "PutSecretValue":
			keys = append(keys, "kms:GenerateDataKey", "kms:Decrypt")
		}
	}
	if p.tagsSecrets() {
		s.allow(own, "", "secretsmanager:TagResource")
	}
	for name := range t.ofType("AWS::KMS::Key") {
		s.allow("${"+name+".Arn}", through("secretsmanager"), keys...)
	}
}

// tagsSecrets reports whether secrets are created with tags.
func (p program) tagsSecrets() bool {
	tags := false
	each(p, func(d declaration, c *ast.CompositeLit) {
		if path, name := d.qualified(c.Type); path != sdk+"secretsmanager" || name != "CreateSecretInput" {
			return
		}
		for _, element := range c.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				name, ok := pair.Key.(*ast.Ident)
				tags = tags || ok && name.Name == "Tags"
			}
		}
	})
	return tags
}

// needSharedSecrets adds what the calls for secrets that others share need. The
// deployer lists their keys.
func (s set) needSharedSecrets(prefix string, methods []string) {
	if len(methods) == 0 {
		return
	}
	s.allow(secrets+"*", `{"StringLike":{"secretsmanager:ResourceTag/headgate:shared-with":"`+prefix+`/*"}}`, prefixed("secretsmanager:", methods)...)
	s.allow("${SharedSecretKeyArns} where SharedSecretKeys", through("secretsmanager"), "kms:Decrypt")
}

const secrets = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"

// through returns the condition that a service uses the key on our behalf.
func through(service string) string {
	return `{"StringEquals":{"kms:ViaService":"` + service + `.${AWS::Region}.amazonaws.com"}}`
}

// attribute returns the reference to the ARN of the resource of a reference.
func attribute(reference string) string { return "${" + named(reference) + ".Arn}" }

func prefixed(prefix string, names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, prefix+name)
	}
	return all
}
