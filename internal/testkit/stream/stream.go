// Package stream delivers the records of a moto table's stream to a function, as
// Lambda's event source mapping does. moto itself only does so for functions that it
// runs in Docker.
package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/testkit/mototest"
)

// Mapping is the event source mapping of one table and one function. It has one shard
// and is not safe for concurrent use.
type Mapping struct {
	// BatchSize is how many records an invocation gets at most.
	BatchSize int

	url, arn string
	// after is the sequence number of the last record that is done.
	after string
}

// Open turns the stream of a table at the moto server at url on, and returns its mapping
// from the first record on.
func Open(ctx context.Context, url, table string) (*Mapping, error) {
	client := dynamodb.NewFromConfig(mototest.Config(url))
	out, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName: &table,
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("turn on the stream of table %s: %w", table, err)
	}
	return &Mapping{BatchSize: 100, url: url, arn: aws.ToString(out.TableDescription.LatestStreamArn)}, nil
}

// Record is a record of the stream as Lambda delivers it.
type Record struct {
	JSON           json.RawMessage
	SK             string
	SequenceNumber string
}

// isDelivered reports whether the filter of template.yaml lets the record through.
func (r Record) isDelivered() bool {
	return strings.HasPrefix(r.SK, "database#") || strings.HasPrefix(r.SK, "health#")
}

// All returns every record of databases and their health since the stream was turned on.
func (m *Mapping) All(ctx context.Context) ([]Record, error) {
	records, err := m.read(ctx, "")
	if err != nil {
		return nil, err
	}
	var delivered []Record
	for _, r := range records {
		if r.isDelivered() {
			delivered = append(delivered, r)
		}
	}
	return delivered, nil
}

// read returns the records after a sequence number, all of them if it is empty. Each
// call needs an iterator of its own: a cancelled transaction replaces moto's stream by a
// copy, which older iterators do not see.
func (m *Mapping) read(ctx context.Context, after string) ([]Record, error) {
	position := map[string]any{"StreamArn": m.arn, "ShardId": "", "ShardIteratorType": "TRIM_HORIZON"}
	var stream struct {
		StreamDescription struct {
			Shards []struct {
				ShardID string `json:"ShardId"`
			}
		}
	}
	if err := m.call(ctx, "DescribeStream", map[string]any{"StreamArn": m.arn}, &stream); err != nil {
		return nil, err
	}
	if len(stream.StreamDescription.Shards) != 1 {
		return nil, fmt.Errorf("describe stream %s: %d shards", m.arn, len(stream.StreamDescription.Shards))
	}
	position["ShardId"] = stream.StreamDescription.Shards[0].ShardID
	if after != "" {
		position["ShardIteratorType"], position["SequenceNumber"] = "AFTER_SEQUENCE_NUMBER", after
	}
	var iterator struct{ ShardIterator string }
	if err := m.call(ctx, "GetShardIterator", position, &iterator); err != nil {
		return nil, err
	}
	var all []Record
	for {
		var page struct {
			Records           []json.RawMessage
			NextShardIterator string
		}
		if err := m.call(ctx, "GetRecords", map[string]any{"ShardIterator": iterator.ShardIterator}, &page); err != nil {
			return nil, err
		}
		if len(page.Records) == 0 {
			return all, nil
		}
		for _, text := range page.Records {
			r, err := newRecord(text)
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		iterator.ShardIterator = page.NextShardIterator
	}
}

func newRecord(text json.RawMessage) (Record, error) {
	var parsed struct {
		DynamoDB struct {
			Keys           struct{ SK struct{ S string } }
			SequenceNumber string
		}
	}
	err := json.Unmarshal(text, &parsed)
	return Record{text, parsed.DynamoDB.Keys.SK.S, parsed.DynamoDB.SequenceNumber}, err
}

// call calls an operation of DynamoDB Streams. The response is in the form in which
// Lambda delivers records, which the SDK's types are not.
func (m *Mapping) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("X-Amz-Target", "DynamoDBStreams_20120810."+operation)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	// moto finds the service and the Region here, and checks no signature.
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20300101/"+mototest.Region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", operation, response.StatusCode, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// Invoke invokes the function with an event and returns its response.
type Invoke func(ctx context.Context, event []byte) (response []byte, err error)

// Deliver invokes the function with the next batch, and reports whether there was one.
// After a failure of the invocation the same records come again, after a failure of an
// item those from that item on.
func (m *Mapping) Deliver(ctx context.Context, invoke Invoke) (bool, error) {
	records, err := m.read(ctx, m.after)
	if err != nil {
		return false, err
	}
	var batch struct{ Records []json.RawMessage }
	last := m.after
	for _, r := range records {
		if len(batch.Records) == m.BatchSize {
			break
		}
		if last = r.SequenceNumber; r.isDelivered() {
			batch.Records = append(batch.Records, r.JSON)
		}
	}
	if len(batch.Records) == 0 {
		m.after = last
		return false, nil
	}
	event, err := json.Marshal(batch)
	if err != nil {
		return false, err
	}
	response, err := invoke(ctx, event)
	if err != nil {
		return true, err
	}
	var answer struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(response, &answer); err != nil {
		return true, fmt.Errorf("decode response %s: %w", response, err)
	}
	if len(answer.BatchItemFailures) == 0 {
		m.after = last
		return true, nil
	}
	return true, m.advance(records, answer.BatchItemFailures[0].ItemIdentifier)
}

// advance moves to the record before the one that failed.
func (m *Mapping) advance(records []Record, failed string) error {
	before := m.after
	for _, r := range records {
		if r.SequenceNumber == failed {
			m.after = before
			return fmt.Errorf("record %s failed", failed)
		}
		before = r.SequenceNumber
	}
	return fmt.Errorf("the function reports record %s, which it did not get", failed)
}
