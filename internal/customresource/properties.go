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
		return fields(v)
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
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
	case "ssl", "ipv6", "use_local_tunnel", "create_if_not_exists", "publish_via_partition_root":
		if s == "true" || s == "false" {
			return s == "true"
		}
	}
	return s
}

// patch returns the body of the update from the properties of before. An update
// sets the fields that are sent; a template states all of them. So a property that
// was removed is sent with its default.
func patch(properties, before map[string]any) map[string]any {
	next, old := fields(properties), fields(before)
	restore(next, old, map[string]any{
		"port": database.DefaultPort, "ssl": true, "ipv6": false, "primary": nil, "annotations": map[string]any{},
	})
	restoreMode(next, old)
	if primary, was := object(next["primary"]), object(old["primary"]); primary != nil && was != nil {
		restore(primary, was, map[string]any{"port": database.DefaultPort, "ssl": true, "ipv6": false})
		restoreMode(primary, was)
	}
	if slot, was := firstSlot(next), firstSlot(old); slot != nil && was != nil {
		restore(slot, was, map[string]any{"status": database.SlotActive})
	}
	return next
}

// restore adds to next the defaults of the fields that only old has.
func restore(next, old, defaults map[string]any) {
	for name, value := range defaults {
		_, had := old[name]
		if _, has := next[name]; had && !has {
			next[name] = value
		}
	}
}

// restoreMode restores ssl_mode, which must not be sent where TLS is off.
func restoreMode(next, old map[string]any) {
	if next["ssl"] != false {
		restore(next, old, map[string]any{"ssl_mode": database.SSLModeRequire})
	}
}

func object(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

func firstSlot(fields map[string]any) map[string]any {
	if slots, ok := fields["replication_slots"].([]any); ok && len(slots) > 0 {
		return object(slots[0])
	}
	return nil
}

// encode returns the body of a request with those fields.
func encode(fields map[string]any) ([]byte, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode properties: %w", err)
	}
	return body, nil
}
