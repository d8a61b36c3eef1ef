package publish

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// maxMessage bounds a message. SQS takes up to 256 KiB everywhere.
const maxMessage = 256 << 10

// Queue is a DeadLetters in SQS. It is safe for concurrent use.
type Queue struct {
	client *sqs.Client
	url    string
}

// OpenQueue returns the queue with that URL.
func OpenQueue(config aws.Config, url string) *Queue {
	return &Queue{client: sqs.NewFromConfig(config), url: url}
}

// letter is the form of a message: with one member Records it is also an event that
// publish-changes can be invoked with again.
type letter struct {
	Error   string            `json:"error"`
	Records []json.RawMessage `json:"Records"`
}

// Send sends a record with the reason. Of a record that is too large for a message only
// its keys are sent.
func (q *Queue) Send(ctx context.Context, record []byte, cause error) error {
	body, err := json.Marshal(letter{cause.Error(), []json.RawMessage{record}})
	if err != nil || len(body) > maxMessage {
		if body, err = withoutImages(record, cause); err != nil {
			return err
		}
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: aws.String(string(body))})
	return err
}

func withoutImages(record []byte, cause error) ([]byte, error) {
	var keys struct {
		EventID  string `json:"eventID"`
		DynamoDB struct {
			Keys           json.RawMessage
			SequenceNumber string
		} `json:"dynamodb"`
	}
	_ = json.Unmarshal(record, &keys) // what can be read is sent
	text, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("encode dead letter: %w", err)
	}
	return json.Marshal(letter{cause.Error(), []json.RawMessage{text}})
}
