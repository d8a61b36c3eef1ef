package changes_test

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// putItem stores an item as somebody does by hand.
func (w *world) putItem(sk, document string) {
	w.t.Helper()
	_, err := w.DynamoDB.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.Table, Item: map[string]types.AttributeValue{
		"PK": text("account#" + account), "SK": text(sk), "document": text(document),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// document returns the document of an item, empty if there is none.
func (w *world) document(sk string) string {
	w.t.Helper()
	out, err := w.DynamoDB.GetItem(w.t.Context(), &dynamodb.GetItemInput{
		TableName: &w.Table, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"PK": text("account#" + account), "SK": text(sk)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if document, ok := out.Item["document"].(*types.AttributeValueMemberS); ok {
		return document.Value
	}
	return ""
}

// deadLetters takes the messages out of the dead-letter queue.
func (w *world) deadLetters() []string {
	w.t.Helper()
	client := sqs.NewFromConfig(machine.AWS.Config())
	out, err := client.ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &w.DeadLetters, MaxNumberOfMessages: 10})
	if err != nil {
		w.t.Fatal(err)
	}
	var bodies []string
	for _, m := range out.Messages {
		bodies = append(bodies, aws.ToString(m.Body))
		if _, err := client.DeleteMessage(w.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &w.DeadLetters, ReceiptHandle: m.ReceiptHandle}); err != nil {
			w.t.Fatal(err)
		}
	}
	return bodies
}
