package template_test

import (
	"maps"
	"strings"
)

// mutation is a change to a template, and all findings that it leads to.
type mutation struct {
	change func(template)
	want   []string
}

// clone returns a deep copy of v.
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

// statement returns the statement of a role with that Sid.
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

// without returns a list without one of its items.
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
	for _, some := range []map[string]mutation{permissionMutations(), routeMutations(), variableMutations(), resourceMutations(), streamMutations(), schemaMutations()} {
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
		"a permission is missing": {func(t template) {
			s := t.statement("UpdateDatabaseRole", "Vault")
			s["Action"] = without(s["Action"], "secretsmanager:PutSecretValue")
		}, []string{"update-database's role lacks secretsmanager:PutSecretValue" + onSecrets}},
		"a permission for a part of a transaction is missing": {func(t template) {
			s := t.statement("DeleteDatabaseRole", "Catalog")
			s["Action"] = without(s["Action"], "dynamodb:DeleteItem")
		}, []string{
			"delete-database's role lacks dynamodb:DeleteItem" + onTable,
			"delete-database's role lacks dynamodb:DeleteItem" + strings.ReplaceAll(onTable, "account#", "slot#"),
		}},
		"a permission for shared secrets is missing": {func(t template) {
			s := t.statement("RefreshTablesRole", "SharedSecrets")
			s["Action"] = without(s["Action"], "secretsmanager:GetSecretValue")
		}, []string{"refresh-tables's role lacks secretsmanager:GetSecretValue on " + secrets +
			`* if {"StringLike":{"secretsmanager:ResourceTag/headgate:shared-with":"${AWS::StackName}/*"}}`}},
		"a permission is not needed": {func(t template) {
			s := t.statement("GetDatabaseRole", "Catalog")
			s["Action"] = []any{s["Action"], "dynamodb:Query"}
		}, []string{"get-database's role does not need dynamodb:Query" + onTable}},
		"list-databases may write databases": {func(t template) {
			s := t.statement("ListDatabasesRole", "Catalog")
			s["Action"] = append(list(s["Action"]), "dynamodb:PutItem")
		}, []string{"list-databases's role does not need dynamodb:PutItem" + onTable}},
		"list-databases may not write cursor keys": {func(t template) {
			s := t.statement("ListDatabasesRole", "Cursors")
			s["Action"] = without(s["Action"], "dynamodb:PutItem")
		}, []string{`list-databases's role lacks dynamodb:PutItem on ${Table.Arn} if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"cursor#*"}}`}},
		"create-api-key may write an account's items": {func(t template) {
			t.statement("CreateApiKeyRole", "Keys")["Condition"] = object{
				"ForAllValues:StringLike": object{"dynamodb:LeadingKeys": []any{"account#*", "key#*", "keys#*"}},
			}
		}, []string{"create-api-key's role does not need dynamodb:PutItem" + onTable}},
		"revoke-api-key may read an account's items": {func(t template) {
			s := t.statement("RevokeApiKeyRole", "AccountKeys")
			s["Condition"] = object{"ForAllValues:StringLike": object{"dynamodb:LeadingKeys": []any{"account#*", "keys#*"}}}
		}, []string{"revoke-api-key's role does not need dynamodb:GetItem" + onTable}},
		"list-api-keys may read an account's items": {func(t template) {
			s := t.statement("ListApiKeysRole", "AccountKeys")
			s["Condition"] = object{"ForAllValues:StringLike": object{"dynamodb:LeadingKeys": []any{"account#*", "keys#*"}}}
		}, []string{"list-api-keys's role does not need dynamodb:Query" + onTable}},
		"list-api-keys may change keys": {func(t template) {
			s := t.statement("ListApiKeysRole", "Keys")
			s["Action"] = []any{s["Action"], "dynamodb:UpdateItem"}
		}, []string{`list-api-keys's role does not need dynamodb:UpdateItem on ${Table.Arn} if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"key#*"}}`}},
		"a role may use all partitions": {func(t template) {
			delete(t.statement("AuthorizeRequestRole", "Keys"), "Condition")
		}, []string{
			`authorize-request's role lacks dynamodb:GetItem on ${Table.Arn} if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"key#*"}}`,
			`authorize-request's role lacks dynamodb:UpdateItem on ${Table.Arn} if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"key#*"}}`,
			"authorize-request's role does not need dynamodb:GetItem on ${Table.Arn}",
			"authorize-request's role does not need dynamodb:UpdateItem on ${Table.Arn}",
		}},
		"a permission is wider than needed": {func(t template) {
			t.statement("GetDatabaseRole", "Catalog")["Resource"] = "*"
		}, []string{
			"get-database's role lacks dynamodb:GetItem" + onTable,
			`get-database's role does not need dynamodb:GetItem on * if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"account#*"}}`,
		}},
		"a role has a managed policy": {func(t template) {
			t.properties("NotFoundRole")["ManagedPolicyArns"] = []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
		}, []string{`NotFoundRole has managed policies: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]`}},
		"a policy is outside its role": {func(t template) {
			t.add("MorePolicy", "AWS::IAM::Policy", object{"Roles": []any{"${NotFoundRole}"}})
		}, []string{"MorePolicy is a policy outside the roles"}},
		"the bus is open to another AWS account": {func(t template) {
			t.add("OpenBus", "AWS::Events::EventBusPolicy", object{"EventBusName": "${Bus}", "Principal": "123456789012", "Action": "events:PutEvents"})
		}, []string{"OpenBus is a policy outside the roles"}},
		"a statement uses NotAction": {func(t template) {
			policy := list(t.properties("NotFoundRole")["Policies"])[0]
			document := at(policy, "PolicyDocument").(object)
			document["Statement"] = append(list(document["Statement"]), object{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})
		}, []string{`NotFoundRole has a statement that does not list its actions and resources: {"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`}},
		"others besides Lambda may assume a role": {func(t template) {
			t.properties("NotFoundRole")["AssumeRolePolicyDocument"] = object{"Statement": "anybody or lambda.amazonaws.com"}
		}, []string{"NotFoundRole may be assumed by others besides Lambda: anybody or lambda.amazonaws.com"}},
		"no function has a role": {func(t template) {
			t.add("OldRole", "AWS::IAM::Role", t.properties("NotFoundRole"))
		}, []string{"OldRole is not the role of any function"}},
		"schedule-checks may query the table": {func(t template) {
			t.statement("ScheduleChecksRole", "Index")["Resource"] = "${Table.Arn}"
		}, []string{
			"schedule-checks's role lacks dynamodb:Query on ${Table.Arn}/index/checks",
			"schedule-checks's role does not need dynamodb:Query on ${Table.Arn}",
		}},
		"check-database may change databases": {func(t template) {
			s := t.statement("CheckDatabaseRole", "Catalog")
			s["Action"] = append(list(s["Action"]), "dynamodb:UpdateItem")
		}, []string{"check-database's role does not need dynamodb:UpdateItem" + onTable}},
		"check-database may not read its queue": {func(t template) {
			s := t.statement("CheckDatabaseRole", "Queue")
			s["Action"] = without(s["Action"], "sqs:DeleteMessage")
		}, []string{"check-database's role lacks sqs:DeleteMessage on ${CheckQueue.Arn}"}},
		"an endpoint's policy lacks an action": {func(t template) {
			s := list(at(t.properties("DynamoDBEndpoint"), "PolicyDocument", "Statement"))[0].(object)
			s["Action"] = without(s["Action"], "dynamodb:UpdateItem")
		}, []string{"DynamoDBEndpoint's policy lacks dynamodb:UpdateItem"}},
		"an endpoint is missing": {func(t template) {
			t.remove("EventsEndpoint")
		}, []string{"the VPC has no endpoint for events"}},
	}
}

func routeMutations() map[string]mutation {
	return map[string]mutation{
		"a route has no authorizer": {func(t template) {
			t.event("GetDatabaseFunction", "Get")["Auth"] = object{"Authorizer": "NONE"}
		}, []string{"no key is needed, but should be, for get /api/postgres_databases/{id_or_name} to get-database"}},
		"the API has no default authorizer": {func(t template) {
			delete(at(t.properties("Api"), "Auth").(object), "DefaultAuthorizer")
		}, []string{`the authorizer of Api is "", want the alias of authorize-request`}},
		"the authorizer is not an alias": {func(t template) {
			at(t.properties("Api"), "Auth", "Authorizers", "ApiKey").(object)["FunctionArn"] = "${AuthorizeRequestFunction.Arn}"
		}, []string{`the authorizer of Api is "${AuthorizeRequestFunction.Arn}", want the alias of authorize-request`}},
		"a route is missing": {func(t template) {
			delete(t.properties("UpdateDatabaseFunction")["Events"].(object), "Patch")
		}, []string{"the template lacks patch /api/postgres_databases/{id_or_name} to update-database"}},
		"a route has another method": {func(t template) {
			t.event("TestDatabaseFunction", "Test")["Method"] = "get"
		}, []string{
			"the template lacks post /api/postgres_databases/{id_or_name}/test_connection to test-database",
			"the code has no get /api/postgres_databases/{id_or_name}/test_connection to test-database",
		}},
	}
}

func variableMutations() map[string]mutation {
	return map[string]mutation{
		"a variable is missing": {func(t template) {
			delete(t.environment("SweepSecretsFunction"), "SWEEP_AGE")
		}, []string{"sweep-secrets reads SWEEP_AGE, which is not set"}},
		"the key for new secrets is missing": {func(t template) {
			delete(t.environment("CreateDatabaseFunction"), "SECRET_KMS_KEY_ID")
		}, []string{"create-database reads SECRET_KMS_KEY_ID, which is not set"}},
		"a variable is not read": {func(t template) {
			t.properties("NotFoundFunction")["Environment"] = object{"Variables": object{"TABLE_NAME": "${Table}"}}
		}, []string{"not-found does not read TABLE_NAME, which is set"}},
		"a function of less than a CPU has two": {func(t template) {
			t.environment("CreateDatabaseFunction")[processors] = "2"
		}, []string{"create-database has 512 MB, less than a CPU, and GOMAXPROCS is not 1"}},
		"a variable is misspelled": {func(t template) {
			environment := t.environment("CreateDatabaseFunction")
			environment["EGRES_ALLOW"] = environment["EGRESS_ALLOW"]
			delete(environment, "EGRESS_ALLOW")
		}, []string{"create-database reads EGRESS_ALLOW, which is not set", "create-database does not read EGRES_ALLOW, which is set"}},
	}
}

func resourceMutations() map[string]mutation {
	return map[string]mutation{
		"nothing writes to a log group": {func(t template) {
			t.add("OldLogs", "AWS::Logs::LogGroup", t.properties("GetDatabaseLogs"))
		}, []string{"nothing writes to the log group OldLogs"}},
		"two functions share a log group": {func(t template) {
			t.properties("GetDatabaseFunction")["LoggingConfig"] = t.properties("ListDatabasesFunction")["LoggingConfig"]
		}, []string{
			"get-database's role lacks logs:CreateLogStream on ${ListDatabasesLogs.Arn}",
			"get-database's role lacks logs:PutLogEvents on ${ListDatabasesLogs.Arn}",
			"get-database's role does not need logs:CreateLogStream on ${GetDatabaseLogs.Arn}",
			"get-database's role does not need logs:PutLogEvents on ${GetDatabaseLogs.Arn}",
			`the log group of get-database is named "/aws/lambda/${AWS::StackName}/list-databases"`,
			"list-databases writes to the log group of get-database", "nothing writes to the log group GetDatabaseLogs",
		}},
		"a log group never expires": {func(t template) {
			delete(t.properties("GetDatabaseLogs"), "RetentionInDays")
		}, []string{"the log group GetDatabaseLogs never expires, or is not encrypted with the key"}},
		"an alarm's metric does not exist": {func(t template) {
			list(t.properties("SweepSecretsFailuresWaiting")["Dimensions"])[0].(object)["Value"] = "${OldFailures.QueueName}"
		}, []string{
			"no alarm watches the queue SweepSecretsFailures",
			`SweepSecretsFailuresWaiting is on a metric that does not exist: AWS/SQS ApproximateNumberOfMessagesVisible of ` +
				`[{"Name":"QueueName","Value":"${OldFailures.QueueName}"}]`,
		}},
		"an alarm is missing": {func(t template) {
			t.remove("GetDatabaseThrottles")
		}, []string{"get-database has no alarm on Throttles"}},
		"an alarm notifies nobody": {func(t template) {
			delete(t.properties("ApiServerErrors"), "AlarmActions")
		}, []string{"ApiServerErrors notifies nobody"}},
		"deployments do not watch errors": {func(t template) {
			at(t.properties("GetDatabaseFunction"), "DeploymentPreference").(object)["Alarms"] = []any{"${ApiServerErrors}"}
		}, []string{"deployments of get-database do not watch its errors"}},
		"a timeout does not match its alarm": {func(t template) {
			t.properties("DescribeApiFunction")["Timeout"] = "10"
		}, []string{"DescribeApiDuration rings at 4500 ms, want 90 % of 10 s"}},
		"a resource's answer comes too late": {func(t template) {
			t.properties("ProvisionResourceFunction")["Timeout"] = "120"
			t.properties("ProvisionResourceDuration")["Threshold"] = "108000"
		}, []string{"provision-resource runs for up to 120 s, and needs 3m12s"}},
		"an alias does not move with every change": {func(t template) {
			t.properties("NotFoundFunction")["AutoPublishAliasAllProperties"] = "false"
		}, []string{"not-found has no alias that every change moves"}},
		"the deployment role lacks a function": {func(t template) {
			s := t.statement("DeploymentRole", "MoveAliases")
			s["Resource"] = without(s["Resource"], "${GetDatabaseFunction.Arn}*")
		}, []string{"the deployment role may not move the alias of get-database"}},
		"a dashboard is not JSON": {func(t template) {
			t.properties("Dashboard")["DashboardBody"] = strings.TrimSuffix(strings.TrimSpace(textAt(t.properties("Dashboard"), "DashboardBody")), "}")
		}, []string{"Dashboard is not valid JSON"}},
		"nothing sends to a queue": {func(t template) {
			delete(t.properties("SweepSecretsFunction"), "EventInvokeConfig")
			delete(t.event("SweepSecretsFunction", "Hourly"), "DeadLetterConfig")
		}, []string{
			"sweep-secrets's role does not need sqs:SendMessage on ${SweepSecretsFailures.Arn}",
			"nothing sends to the queue SweepSecretsFailures",
		}},
		"nothing sends to the queue of checks": {func(t template) {
			t.environment("ScheduleChecksFunction")["CHECK_QUEUE_URL"] = "${OldQueue}"
		}, []string{
			"schedule-checks's role lacks sqs:SendMessage on ${OldQueue.Arn}",
			"schedule-checks's role does not need sqs:SendMessage on ${CheckQueue.Arn}",
			"nothing sends to the queue CheckQueue",
		}},
		"a consumer fails whole batches": {func(t template) {
			delete(t.event("CheckDatabaseFunction", "Queued"), "FunctionResponseTypes")
		}, []string{"check-database fails whole batches of messages"}},
		"a consumer takes all concurrency": {func(t template) {
			delete(t.event("CheckDatabaseFunction", "Queued"), "ScalingConfig")
		}, []string{"check-database takes all of the account's concurrency"}},
		"messages come back while they are handled": {func(t template) {
			t.properties("CheckQueue")["VisibilityTimeout"] = "30"
		}, []string{"check-database runs for up to 28 s, and its messages are hidden for 30 s"}},
		"a queue has no dead-letter queue": {func(t template) {
			delete(t.properties("CheckQueue"), "RedrivePolicy")
		}, []string{
			"nothing sends to the queue CheckDatabaseFailures",
			"the queue CheckQueue is not encrypted, or does not keep messages for 14 days",
			"messages that check-database fails on have no dead-letter queue",
		}},
		"no alarm says that checks are late": {func(t template) {
			t.remove("CheckQueueLate")
		}, []string{"no alarm watches the queue CheckQueue"}},
		"no alarm says that databases fail": {func(t template) {
			t.remove("DatabasesFailing")
		}, []string{"no alarm is on headgate/${AWS::StackName} failing, which CheckDatabaseFailing makes"}},
		"a queue accepts messages without TLS": {func(t template) {
			t.remove("SweepSecretsFailuresPolicy")
		}, []string{"the queue SweepSecretsFailures accepts messages without TLS"}},
		"a rule's name does not match its alarm": {func(t template) {
			t.event("ProvisionDatabaseFunction", "Requested")["RuleName"] = "requested"
		}, []string{"ProvisionDatabaseUndelivered is on a metric that does not exist: AWS/Events FailedInvocations of " +
			`[{"Name":"EventBusName","Value":"${Bus}"},{"Name":"RuleName","Value":"${AWS::StackName}-requested"}]`}},
		"a metric filter matches a field that is not logged": {func(t template) {
			t.properties("SweepSecretsSwept")["FilterPattern"] = "{ $.strays >= 0 }"
		}, []string{"SweepSecretsSwept matches the field strays, which is not written to its log group"}},
		"a metric filter has the namespace of all stacks": {func(t template) {
			filter := t.properties("SweepSecretsSwept")
			list(filter["MetricTransformations"])[0].(object)["MetricNamespace"] = "headgate"
		}, []string{
			`SweepSecretsSwept puts its metric in "headgate", want headgate/${AWS::StackName}`,
			"SweepSecretsFound is on a metric that does not exist: headgate/${AWS::StackName} orphans of ",
			"no alarm is on headgate orphans, which SweepSecretsSwept makes",
		}},
		"a dashboard has the namespace of all stacks": {func(t template) {
			dashboard := t.properties("Dashboard")
			dashboard["DashboardBody"] = strings.Replace(textAt(dashboard, "DashboardBody"), `["headgate/${AWS::StackName}","created"`, `["headgate","created"`, 1)
		}, []string{`Dashboard shows metrics of "headgate", want headgate/${AWS::StackName}`}},
		"a log group's name does not lead to the stack's namespace": {func(t template) {
			t.properties("GetDatabaseLogs")["LogGroupName"] = "/headgate/get-database"
		}, []string{
			`the log group of get-database is named "/headgate/get-database"`,
			`get-database puts its metrics in "headgate", want headgate/${AWS::StackName}`,
		}},
		"a metric filter has no alarm": {func(t template) {
			t.remove("SweepSecretsFound")
		}, []string{"no alarm is on headgate/${AWS::StackName} orphans, which SweepSecretsSwept makes"}},
	}
}
