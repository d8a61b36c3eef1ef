package template_test

import (
	"maps"
	"strings"
)

// mutation is a change to a template, and all that the checks should find then.
type mutation struct {
	change func(template)
	want   []string
}

// clone is a copy of v that shares nothing with it.
func clone(v any) any {
	switch v := v.(type) {
	case object:
		o := make(object, len(v))
		for name, member := range v {
			o[name] = clone(member)
		}
		return o
	case []any:
		l := make([]any, len(v))
		for i, item := range v {
			l[i] = clone(item)
		}
		return l
	}
	return v
}

// statement is the one called sid in a role's policy.
func (t template) statement(role, sid string) object {
	for _, policy := range list(t.properties(role)["Policies"]) {
		for _, s := range list(at(policy, "PolicyDocument", "Statement")) {
			if textAt(s, "Sid") == sid {
				return s.(object)
			}
		}
	}
	return nil
}

// without is a list but for one of its items.
func without(items any, unwanted string) []any {
	var rest []any
	for _, item := range list(items) {
		if text(item) != unwanted {
			rest = append(rest, item)
		}
	}
	return rest
}

func (t template) event(function, name string) object {
	return at(t.properties(function), "Events", name, "Properties").(object)
}

func (t template) environment(function string) object {
	return at(t.properties(function), "Environment", "Variables").(object)
}

func (t template) add(name, kind string, properties object) {
	t.root["Resources"].(object)[name] = object{"Type": kind, "Properties": properties}
}

func (t template) remove(name string) { delete(t.root["Resources"].(object), name) }

func mutations() map[string]mutation {
	all := map[string]mutation{}
	for _, some := range []map[string]mutation{permissionMutations(), routeMutations(), variableMutations(), belongingMutations()} {
		maps.Copy(all, some)
	}
	return all
}

func permissionMutations() map[string]mutation {
	const (
		onTable   = ` on ${Table.Arn} if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"account#*"}}`
		onSecrets = " on " + secrets + "${AWS::StackName}/*"
	)
	return map[string]mutation{
		"a permission is taken away": {func(t template) {
			s := t.statement("UpdateDatabaseRole", "Vault")
			s["Action"] = without(s["Action"], "secretsmanager:PutSecretValue")
		}, []string{"update-database's role lacks secretsmanager:PutSecretValue" + onSecrets}},
		"a permission of a transaction's part is taken away": {func(t template) {
			s := t.statement("DeleteDatabaseRole", "Catalog")
			s["Action"] = without(s["Action"], "dynamodb:DeleteItem")
		}, []string{"delete-database's role lacks dynamodb:DeleteItem" + onTable}},
		"secrets of others are closed to a function that opens them": {func(t template) {
			s := t.statement("RefreshTablesRole", "SharedSecrets")
			s["Action"] = without(s["Action"], "secretsmanager:GetSecretValue")
		}, []string{"refresh-tables's role lacks secretsmanager:GetSecretValue on " + secrets +
			`* if {"Null":{"secretsmanager:ResourceTag/headgate:shared-with":"false"}}`}},
		"a permission is added": {func(t template) {
			s := t.statement("GetDatabaseRole", "Catalog")
			s["Action"] = []any{s["Action"], "dynamodb:Query"}
		}, []string{"get-database's role needs no dynamodb:Query" + onTable}},
		"a permission goes further than it has to": {func(t template) {
			t.statement("GetDatabaseRole", "Catalog")["Resource"] = "*"
		}, []string{
			"get-database's role lacks dynamodb:GetItem" + onTable,
			`get-database's role needs no dynamodb:GetItem on * if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"account#*"}}`,
		}},
		"a managed policy is added": {func(t template) {
			t.properties("NotFoundRole")["ManagedPolicyArns"] = []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
		}, []string{`NotFoundRole has managed policies: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]`}},
		"a policy stands beside its role": {func(t template) {
			t.add("MorePolicy", "AWS::IAM::Policy", object{"Roles": []any{"${NotFoundRole}"}})
		}, []string{"MorePolicy says beside the roles what they allow"}},
		"a statement lists what it does not allow": {func(t template) {
			policy := list(t.properties("NotFoundRole")["Policies"])[0]
			document := at(policy, "PolicyDocument").(object)
			document["Statement"] = append(list(document["Statement"]), object{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})
		}, []string{`NotFoundRole has a statement that does not list what it allows: {"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`}},
		"anybody of the account may take on a role": {func(t template) {
			t.properties("NotFoundRole")["AssumeRolePolicyDocument"] = object{"Statement": "anybody, or lambda.amazonaws.com"}
		}, []string{"NotFoundRole may be assumed by others than Lambda: anybody, or lambda.amazonaws.com"}},
		"a role belongs to nobody": {func(t template) {
			t.add("OldRole", "AWS::IAM::Role", t.properties("NotFoundRole"))
		}, []string{"OldRole is the role of no function"}},
		"an endpoint is closed to what a function calls": {func(t template) {
			s := list(at(t.properties("DynamoDBEndpoint"), "PolicyDocument", "Statement"))[0].(object)
			s["Action"] = without(s["Action"], "dynamodb:UpdateItem")
		}, []string{"DynamoDBEndpoint's policy lacks dynamodb:UpdateItem"}},
		"an endpoint is taken away": {func(t template) {
			t.remove("EventsEndpoint")
		}, []string{"the VPC has no endpoint for events"}},
	}
}

func routeMutations() map[string]mutation {
	return map[string]mutation{
		"a route's authorizer is taken away": {func(t template) {
			t.event("GetDatabaseFunction", "Get")["Auth"] = object{"Authorizer": "NONE"}
		}, []string{"nobody asks for a key for get /api/postgres_databases/{id_or_name} to get-database"}},
		"every route's authorizer is taken away": {func(t template) {
			delete(at(t.properties("Api"), "Auth").(object), "DefaultAuthorizer")
		}, []string{`Api asks "" whose a key is, not the alias of authorize-request`}},
		"the authorizer is asked past its alias": {func(t template) {
			at(t.properties("Api"), "Auth", "Authorizers", "ApiKey").(object)["FunctionArn"] = "${AuthorizeRequestFunction.Arn}"
		}, []string{`Api asks "${AuthorizeRequestFunction.Arn}" whose a key is, not the alias of authorize-request`}},
		"a route is taken away": {func(t template) {
			delete(t.properties("UpdateDatabaseFunction")["Events"].(object), "Patch")
		}, []string{"the template lacks patch /api/postgres_databases/{id_or_name} to update-database"}},
		"a route goes to another method": {func(t template) {
			t.event("TestDatabaseFunction", "Test")["Method"] = "get"
		}, []string{
			"the template lacks post /api/postgres_databases/{id_or_name}/test_connection to test-database",
			"the code has no get /api/postgres_databases/{id_or_name}/test_connection to test-database",
		}},
	}
}

func variableMutations() map[string]mutation {
	return map[string]mutation{
		"a variable is taken away": {func(t template) {
			delete(t.environment("SweepSecretsFunction"), "SWEEP_AGE")
		}, []string{"sweep-secrets reads SWEEP_AGE, which is not set"}},
		"the key of new secrets is taken away": {func(t template) {
			delete(t.environment("CreateDatabaseFunction"), "SECRET_KMS_KEY_ID")
		}, []string{"create-database reads SECRET_KMS_KEY_ID, which is not set"}},
		"a variable is added": {func(t template) {
			t.properties("DescribeApiFunction")["Environment"] = object{"Variables": object{"TABLE_NAME": "${Table}"}}
		}, []string{"describe-api does not read TABLE_NAME, which is set"}},
		"a variable has a slip in its name": {func(t template) {
			environment := t.environment("CreateDatabaseFunction")
			environment["EGRES_ALLOW"] = environment["EGRESS_ALLOW"]
			delete(environment, "EGRESS_ALLOW")
		}, []string{"create-database reads EGRESS_ALLOW, which is not set", "create-database does not read EGRES_ALLOW, which is set"}},
	}
}

func belongingMutations() map[string]mutation {
	return map[string]mutation{
		"a log group belongs to nobody": {func(t template) {
			t.add("OldLogs", "AWS::Logs::LogGroup", t.properties("GetDatabaseLogs"))
		}, []string{"nobody writes the log group OldLogs"}},
		"two functions write one log group": {func(t template) {
			t.properties("GetDatabaseFunction")["LoggingConfig"] = t.properties("ListDatabasesFunction")["LoggingConfig"]
		}, []string{
			"get-database's role lacks logs:CreateLogStream on ${ListDatabasesLogs.Arn}",
			"get-database's role lacks logs:PutLogEvents on ${ListDatabasesLogs.Arn}",
			"get-database's role needs no logs:CreateLogStream on ${GetDatabaseLogs.Arn}",
			"get-database's role needs no logs:PutLogEvents on ${GetDatabaseLogs.Arn}",
			`get-database's log group is called "/aws/lambda/${AWS::StackName}/list-databases"`,
			"list-databases writes the log group of get-database", "nobody writes the log group GetDatabaseLogs",
		}},
		"logs are kept for ever": {func(t template) {
			delete(t.properties("GetDatabaseLogs"), "RetentionInDays")
		}, []string{"the log group GetDatabaseLogs is kept for ever, or without the key"}},
		"an alarm is on nothing": {func(t template) {
			list(t.properties("SweepSecretsFailuresWaiting")["Dimensions"])[0].(object)["Value"] = "${OldFailures.QueueName}"
		}, []string{
			"no alarm watches the queue SweepSecretsFailures",
			`SweepSecretsFailuresWaiting is an alarm on nothing: AWS/SQS ApproximateNumberOfMessagesVisible of ` +
				`[{"Name":"QueueName","Value":"${OldFailures.QueueName}"}]`,
		}},
		"an alarm is taken away": {func(t template) {
			t.remove("GetDatabaseThrottles")
		}, []string{"get-database has no alarm on Throttles"}},
		"an alarm tells nobody": {func(t template) {
			delete(t.properties("ApiServerErrors"), "AlarmActions")
		}, []string{"ApiServerErrors is an alarm that tells nobody"}},
		"deployments do not mind errors": {func(t template) {
			at(t.properties("GetDatabaseFunction"), "DeploymentPreference").(object)["Alarms"] = []any{"${ApiServerErrors}"}
		}, []string{"deployments of get-database do not mind its errors"}},
		"a function gets more time than its alarm knows": {func(t template) {
			t.properties("DescribeApiFunction")["Timeout"] = "10"
		}, []string{"DescribeApiDuration is an alarm from 4500 ms on, and not from 90 % of 10 s"}},
		"a function has an alias that stays": {func(t template) {
			t.properties("NotFoundFunction")["AutoPublishAliasAllProperties"] = "false"
		}, []string{"not-found has no alias that each change moves"}},
		"a function may not be deployed": {func(t template) {
			s := t.statement("DeploymentRole", "MoveAliases")
			s["Resource"] = without(s["Resource"], "${GetDatabaseFunction.Arn}*")
		}, []string{"no deployment may move the alias of get-database"}},
		"a dashboard lacks a bracket": {func(t template) {
			t.properties("Dashboard")["DashboardBody"] = strings.TrimSuffix(strings.TrimSpace(textAt(t.properties("Dashboard"), "DashboardBody")), "}")
		}, []string{"Dashboard is not JSON"}},
		"nothing comes into a queue": {func(t template) {
			delete(t.properties("SweepSecretsFunction"), "EventInvokeConfig")
			delete(t.event("SweepSecretsFunction", "Hourly"), "DeadLetterConfig")
		}, []string{
			"sweep-secrets's role needs no sqs:SendMessage on ${SweepSecretsFailures.Arn}",
			"nothing comes into the queue SweepSecretsFailures",
		}},
		"a queue takes messages without TLS": {func(t template) {
			t.remove("SweepSecretsFailuresPolicy")
		}, []string{"the queue SweepSecretsFailures takes messages without TLS"}},
		"a rule is called otherwise than its alarm thinks": {func(t template) {
			t.event("ProvisionDatabaseFunction", "Requested")["RuleName"] = "requested"
		}, []string{"ProvisionDatabaseUndelivered is an alarm on nothing: AWS/Events FailedInvocations of " +
			`[{"Name":"EventBusName","Value":"${Bus}"},{"Name":"RuleName","Value":"${AWS::StackName}-requested"}]`}},
		"a metric filter looks for what is not logged": {func(t template) {
			t.properties("SweepSecretsSwept")["FilterPattern"] = "{ $.strays >= 0 }"
		}, []string{"SweepSecretsSwept looks for strays in a log group that does not have it"}},
		"a metric filter feeds no alarm": {func(t template) {
			t.remove("SweepSecretsFound")
		}, []string{"no alarm is on headgate/${AWS::StackName} orphans, which SweepSecretsSwept makes"}},
	}
}
