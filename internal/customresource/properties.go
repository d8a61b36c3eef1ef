package customresource

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// accountID is the property that names the account, which is not a field of a
// database.
const accountID = "AccountId"

// account returns the account that properties name.
func account(properties map[string]any) (string, error) {
	id, ok := properties[accountID].(string)
	faults := apierror.FieldErrors{}
	switch {
	case !ok || id == "":
		faults.Add(accountID, "is required: the headgate account that the database is registered in")
	case !database.IsAccount(id):
		faults.Add(accountID, database.AccountRule(id))
	}
	return id, faults.AsError()
}

// fields returns the fields of a database that properties have, with the types of
// the API: CloudFormation sends every number and every boolean as a string.
func fields(properties map[string]any) map[string]any {
	typed := make(map[string]any, len(properties))
	for name, value := range properties {
		switch name {
		case "ServiceToken", "ServiceTimeout", accountID:
		case "annotations":
			typed[name] = value // only its owner knows the types
		default:
			typed[name] = typedValue(name, value)
		}
	}
	return typed
}

func typedValue(name string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		inner := make(map[string]any, len(v))
		for name, value := range v {
			inner[name] = typedValue(name, value)
		}
		return inner
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = typedValue(name, element)
		}
		return list
	case string:
		return typedString(name, v)
	}
	return value
}

// typedString returns s as the field's type. What has another form stays a string,
// which the field's own rule rejects.
func typedString(name, s string) any {
	switch name {
	case "port":
		if n, err := strconv.Atoi(s); err == nil && strconv.Itoa(n) == s { // not +5432
			return n
		}
	case "ssl", "ipv6", "use_local_tunnel", "create_if_not_exists", "publish_via_partition_root":
		if s == "true" || s == "false" {
			return s == "true"
		}
	}
	return s
}

// payload returns what a create with those properties registers.
func payload(properties map[string]any) (database.Payload, error) {
	body, err := encode(properties)
	if err != nil {
		return database.Payload{}, err
	}
	return database.ParseTemplate(body)
}

// patch returns the update from the properties of before.
func patch(properties, before map[string]any) (database.Patch, error) {
	body, err := encode(properties)
	if err != nil {
		return database.Patch{}, err
	}
	old, err := encode(before)
	if err != nil {
		return database.Patch{}, err
	}
	return database.ParseTemplatePatch(body, old)
}

// encode returns the body of a request with the fields that properties have.
func encode(properties map[string]any) ([]byte, error) {
	body, err := json.Marshal(fields(properties))
	if err != nil {
		return nil, fmt.Errorf("encode properties: %w", err)
	}
	return body, nil
}
