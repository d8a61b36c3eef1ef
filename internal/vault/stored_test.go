package vault_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// describe returns Secrets Manager's description of a database's secret.
func (b bench) describe(t *testing.T, d database.Database) *secretsmanager.DescribeSecretOutput {
	t.Helper()
	out, err := b.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: b.name(d)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// current returns the current version of a secret and its text.
func (b bench) current(t *testing.T, d database.Database) (version, text string) {
	t.Helper()
	out, err := b.client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: b.name(d), VersionStage: ptr("AWSCURRENT"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.VersionId, *out.SecretString
}

func ptr[T any](v T) *T { return &v }

func TestCreate_NameTagsAndKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	got := b.describe(t, d)
	tags := map[string]string{}
	for _, tag := range got.Tags {
		tags[*tag.Key] = *tag.Value
	}
	want := map[string]string{
		"headgate:table": "headgate-table", "headgate:account": d.Account, "headgate:database": d.ID,
	}
	if !maps.Equal(tags, want) {
		t.Errorf("tags %v, want %v", tags, want)
	}
	if got.KmsKeyId == nil || *got.KmsKeyId != "alias/headgate" {
		t.Errorf("key %v", got.KmsKeyId)
	}
}

func TestCreate_Text(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, p := b.create(t)
	version, text := b.current(t, d)
	if version != d.ID {
		t.Errorf("version %s, want the database's ID %s", version, d.ID)
	}
	want := map[string]any{
		"engine": "postgres", "host": "replica.example.com", "port": 5433.0,
		"username": "émile", "password": p.Main.Reveal(), "dbname": "app <&> 'db'",
		"primary": map[string]any{
			"engine": "postgres", "host": "primary.example.com", "port": 5432.0,
			"username": "primary_user", "password": p.Primary.Reveal(), "dbname": "app",
		},
	}
	wantJSON(t, text, want)
}

func TestCreate_TextWithoutPrimary(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := database.Database{ID: storetest.ID(), Account: storetest.Account(), Endpoint: database.Endpoint{Hostname: "h", Port: 1, Username: "u", Database: "d"}}
	if _, err := b.Create(storetest.Context(t), d, database.Passwords{Main: "p"}); err != nil {
		t.Fatal(err)
	}
	_, text := b.current(t, d)
	if want := `{"engine":"postgres","host":"h","port":1,"username":"u","password":"p","dbname":"d"}`; text != want {
		t.Errorf("secret %s, want %s", text, want)
	}
}

func wantJSON(t *testing.T, text string, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("secret %v, want %v", got, want)
	}
}

func TestPromote_Labels(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	version := b.add(t, d)
	b.wantLabels(t, d, map[string][]string{d.ID: {"AWSCURRENT"}, version: {"headgate-" + version}})
	if err := b.Promote(storetest.Context(t), d.Account, d.ID, version); err != nil {
		t.Fatal(err)
	}
	b.wantLabels(t, d, map[string][]string{d.ID: {"AWSPREVIOUS"}, version: {"AWSCURRENT"}})
	if current, _ := b.current(t, d); current != version {
		t.Errorf("current %s, want %s", current, version)
	}
}

func TestDropVersion_Labels(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	version := b.add(t, d)
	if err := b.DropVersion(storetest.Context(t), d.Account, d.ID, version); err != nil {
		t.Fatal(err)
	}
	b.wantLabels(t, d, map[string][]string{d.ID: {"AWSCURRENT"}})
}

// wantLabels compares the labels of the versions that have any.
func (b bench) wantLabels(t *testing.T, d database.Database, want map[string][]string) {
	t.Helper()
	got := b.describe(t, d).VersionIdsToStages
	maps.DeleteFunc(got, func(_ string, labels []string) bool { return len(labels) == 0 })
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("labels %v, want %v", got, want)
	}
}

func TestScheduleDeletion_RecoveryWindow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, p := b.create(t)
	if err := b.ScheduleDeletion(storetest.Context(t), d.Account, d.ID); err != nil {
		t.Fatal(err)
	}
	left := time.Until(*b.describe(t, d).DeletedDate)
	if want := 7 * 24 * time.Hour; left < want-time.Hour || left > want+time.Hour {
		t.Errorf("deleted in %s, want %s", left, want)
	}
	if _, err := b.client.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: b.name(d)}); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Read(storetest.Context(t), d.Account, d.ID, d.ID); err != nil || got != p {
		t.Errorf("the restored passwords differ, or error %v", err)
	}
}

func TestRead_MalformedSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _ := b.create(t)
	version := storetest.ID()
	_, err := b.client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: b.name(d), ClientRequestToken: &version, SecretString: ptr("hunter2"), VersionStages: []string{"x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Read(storetest.Context(t), d.Account, d.ID, version)
	wantKind(t, err, apierror.Internal)
	wantRedacted(t, err, "hunter2")
	_, err = b.Read(storetest.Context(t), d.Account, d.ID, "")
	wantKind(t, err, apierror.Internal)
}

func TestVault_ARN(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), storetest.Context(t)
	d, p, token := storetest.Database(storetest.Account(), "orders"), storetest.Passwords(), storetest.ID()
	created, err := b.Create(ctx, d, p)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := b.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: b.name(d)})
	if err != nil {
		t.Fatal(err)
	}
	want := aws.ToString(secret.ARN)
	added, err := b.AddVersion(ctx, d, p, token)
	if err != nil || created.ARN != want || added != (database.SecretVersion{Version: token, ARN: want}) {
		t.Errorf("created %+v, added %+v, error %v, want %s", created, added, err, want)
	}
	again, err := b.Recreate(ctx, d, p, storetest.ID())
	if err != nil || again.ARN != want {
		t.Errorf("recreated %+v, error %v, want %s", again, err, want)
	}
	b.wire.Script("PutSecretValue", exists)
	if repeated, err := b.AddVersion(ctx, d, p, token); err != nil || repeated != added {
		t.Errorf("repeated %+v, error %v, want %+v", repeated, err, added)
	}
}
