package functions_test

import (
	"maps"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/google/uuid"
)

// movable returns the properties of a database in acme and in another account.
func (c *cloudFormation) movable(name string) (acme, other map[string]any) {
	c.t.Helper()
	payload := newSource(c.t, name)
	acme = c.properties(payload)
	shared, err := c.Share(c.t.Context(), "other", "others-"+uuid.NewString(), payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return acme, with(with(acme, "AccountId", "other"), "password_secret_arn", shared["password_secret_arn"])
}

// wantOnly fails the test unless the database with that ID is the only one.
func (c *cloudFormation) wantOnly(id string) {
	c.t.Helper()
	if contents, _ := c.contents(); len(contents.Databases) != 1 || contents.Names["orders"] != id {
		c.t.Errorf("databases %v, want %s", contents.Names, id)
	}
}

func TestResource_RollbackOfAFailedReplacement(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	acme, other := c.movable("orders")
	id := c.succeed(request(cfn.RequestCreate, "", acme, nil))
	execute(t, acme["database"].(string), "DROP PUBLICATION pub") // nothing is checked again
	for name, failed := range map[string]map[string]any{
		"a secret that is not shared": with(acme, "AccountId", "other"),
		"a target that is refused":    other,
		"an invalid account":          with(acme, "AccountId", "a/b"),
		"no account":                  without(acme, "AccountId"),
		"an unknown property":         with(other, "hostnam", "h"),
	} {
		t.Run(name, func(t *testing.T) {
			if kept := c.fail(request(cfn.RequestUpdate, id, failed, acme)); kept != id {
				t.Errorf("ID %s after the failure, want %s", kept, id)
			}
			if kept := c.succeed(request(cfn.RequestUpdate, id, acme, failed)); kept != id {
				t.Errorf("ID %s after the rollback, want %s", kept, id)
			}
			c.wantOnly(id)
		})
	}
}

func TestResource_RollbackOfAReplacement(t *testing.T) {
	t.Parallel()
	for name, ofNew := range map[string]bool{"with the new ID": true, "with the old ID": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloudFormation(t)
			acme, other := c.movable("orders")
			id := c.succeed(request(cfn.RequestCreate, "", acme, nil))
			move := request(cfn.RequestUpdate, id, other, acme)
			replacement := c.succeed(move)
			if again := c.succeed(move); again != replacement || again == id {
				t.Errorf("the request delivered twice has the ID %s, want %s", again, replacement)
			}
			c.succeed(request(cfn.RequestUpdate, replacement, with(other, "annotations", map[string]any{"team": "7"}), other))
			execute(t, acme["database"].(string), "DROP PUBLICATION pub")
			physical := id
			if ofNew {
				physical = replacement
			}
			for range 2 {
				if back := c.succeed(request(cfn.RequestUpdate, physical, acme, other)); back != id {
					t.Errorf("ID %s after the rollback, want %s", back, id)
				}
			}
			c.succeed(request(cfn.RequestDelete, replacement, other, nil))
			c.wantOnly(id)
		})
	}
}

// TestResource_ReplacementOfADatabaseOfTheSameName moves to an account in which another
// resource has the name: that database is not taken over.
func TestResource_ReplacementOfADatabaseOfTheSameName(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	acme, other := c.movable("orders")
	id := c.succeed(request(cfn.RequestCreate, "", acme, nil))
	c.succeed(request(cfn.RequestCreate, "", other, nil))
	c.fail(request(cfn.RequestUpdate, id, other, acme), `a database named "orders" exists already`)
	c.succeed(request(cfn.RequestUpdate, id, acme, other))
	if contents, _ := c.contents(); len(contents.Databases) != 2 {
		t.Errorf("databases %v, want 2", contents.Databases)
	}
}

// TestResource_UpdateOfATargetThatRefuses changes what is not on the target, which refuses
// logins by then, with a template that asks for a slot and a publication.
func TestResource_UpdateOfATargetThatRefuses(t *testing.T) {
	t.Parallel()
	c := newCloudFormation(t)
	source := newSource(t, "orders")
	properties := c.properties(source)
	slot := maps.Clone(properties["replication_slots"].([]any)[0].(map[string]any))
	slot["create_if_not_exists"], slot["publication"] = "true", map[string]any{"create_if_not_exists": "true"}
	properties["replication_slots"] = []any{slot}
	id := c.succeed(request(cfn.RequestCreate, "", properties, nil))
	execute(t, "postgres", "ALTER ROLE "+source["username"].(string)+" NOLOGIN")
	annotated := with(properties, "annotations", map[string]any{"team": "7"})
	c.succeed(request(cfn.RequestUpdate, id, annotated, properties))
	c.succeed(request(cfn.RequestUpdate, id, properties, annotated))
	c.succeed(request(cfn.RequestDelete, id, properties, nil))
	c.wantNone()
}
