// Command headgate-example registers a database, reads it, checks its target
// again, and removes it, with a generated client.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"example.com/headgate-example/headgate"
)

//go:generate mkdir -p headgate
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -package headgate -generate client,models -o headgate/client.go $HEADGATE_URL/api/openapi.json

const name = "go-example"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := headgate.NewClientWithResponses(os.Getenv("HEADGATE_URL"), headgate.WithRequestEditorFn(authenticate))
	if err != nil {
		return err
	}
	body, err := payload()
	if err != nil {
		return err
	}
	if err := refused(ctx, client, body); err != nil {
		return err
	}
	if err := register(ctx, client, body); err != nil {
		return err
	}
	if err := change(ctx, client); err != nil {
		return err
	}
	return errors.Join(inspect(ctx, client), remove(ctx, client))
}

func authenticate(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+os.Getenv("HEADGATE_API_KEY"))
	return nil
}

func payload() (headgate.CreateRequest, error) {
	port, err := strconv.Atoi(os.Getenv("PGPORT"))
	if err != nil {
		return headgate.CreateRequest{}, fmt.Errorf("read PGPORT: %w", err)
	}
	return headgate.CreateRequest{
		Name: name, Hostname: env("PGHOST"), Port: &port, Database: env("PGDATABASE"), Username: env("PGUSER"), Password: env("PGPASSWORD"),
		ReplicationSlots: []headgate.CreateSlot{{PublicationName: os.Getenv("PUBLICATION"), SlotName: os.Getenv("SLOT")}},
	}, nil
}

func env(variable string) *string {
	value := os.Getenv(variable)
	return &value
}

// refused shows what a target that fails a check is answered with.
func refused(ctx context.Context, client *headgate.ClientWithResponses, body headgate.CreateRequest) error {
	body.ReplicationSlots = []headgate.CreateSlot{{PublicationName: body.ReplicationSlots[0].PublicationName, SlotName: "no_such_slot"}}
	answer, err := client.CreateDatabaseWithResponse(ctx, &headgate.CreateDatabaseParams{}, body)
	if err != nil {
		return err
	}
	if answer.JSON422 == nil || answer.JSON422.Checks == nil {
		return fmt.Errorf("create with a missing slot: %s: %s", answer.Status(), answer.Body)
	}
	for _, check := range *answer.JSON422.Checks {
		if check.Status == "failed" {
			fmt.Printf("Refused: %s\n", *check.Code)
		}
	}
	return nil
}

func register(ctx context.Context, client *headgate.ClientWithResponses, body headgate.CreateRequest) error {
	// With an Idempotency-Key, a retry after a lost response registers nothing twice.
	key := fmt.Sprintf("%s-%s-%d", name, os.Getenv("SLOT"), os.Getpid())
	answer, err := client.CreateDatabaseWithResponse(ctx, &headgate.CreateDatabaseParams{IdempotencyKey: &key}, body)
	if err != nil {
		return err
	}
	if answer.JSON201 == nil {
		return fmt.Errorf("create: %s: %s", answer.Status(), answer.Body)
	}
	fmt.Printf("Registered as %s, the password is shown as %s.\n", answer.JSON201.Id, *answer.JSON201.Password)
	return nil
}

// change sends only the field that changes.
func change(ctx context.Context, client *headgate.ClientWithResponses) error {
	annotations := headgate.Annotations{"team": "orders"}
	answer, err := client.PatchDatabaseWithResponse(ctx, name, &headgate.PatchDatabaseParams{}, headgate.UpdateRequest{Annotations: &annotations})
	if err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return fmt.Errorf("update: %s: %s", answer.Status(), answer.Body)
	}
	database, err := answer.JSON200.AsDatabase()
	if err != nil {
		return err
	}
	fmt.Printf("Annotated: %v\n", *database.Annotations)
	return nil
}

func inspect(ctx context.Context, client *headgate.ClientWithResponses) error {
	list, err := client.ListDatabasesWithResponse(ctx, &headgate.ListDatabasesParams{})
	if err != nil {
		return err
	}
	if list.JSON200 == nil {
		return fmt.Errorf("list: %s: %s", list.Status(), list.Body)
	}
	for _, database := range list.JSON200.Data {
		fmt.Printf("Listed: %s on %s\n", database.Name, database.Hostname)
	}
	test, err := client.TestDatabaseWithResponse(ctx, name)
	if err != nil {
		return err
	}
	if test.JSON200 == nil {
		return fmt.Errorf("check: %s: %s", test.Status(), test.Body)
	}
	fmt.Printf("Checked again: %d checks\n", len(test.JSON200.Checks))
	return nil
}

func remove(ctx context.Context, client *headgate.ClientWithResponses) error {
	answer, err := client.DeleteDatabaseWithResponse(ctx, name, &headgate.DeleteDatabaseParams{})
	if err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return fmt.Errorf("delete: %s: %s", answer.Status(), answer.Body)
	}
	fmt.Printf("Removed: %v\n", answer.JSON200.Success)
	return nil
}
