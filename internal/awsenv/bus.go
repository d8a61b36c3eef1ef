package awsenv

import "github.com/aws/aws-sdk-go-v2/aws"

// Bus is the name of the stack's event bus, by EVENT_BUS_NAME, and how to reach
// EventBridge. The client is not made here: it would be linked into every
// function, whose start it would slow.
func (e *Env) Bus() (aws.Config, string, error) {
	s, err := e.shared()
	if err != nil {
		return aws.Config{}, "", err
	}
	name, err := e.matching("EVENT_BUS_NAME", `^[A-Za-z0-9._/-]{1,256}$`, "the name of an event bus")
	if err != nil {
		return aws.Config{}, "", err
	}
	endpoint, err := e.endpoint("EVENTBRIDGE")
	return aws.Config{Region: s.region, Credentials: s.credentials, HTTPClient: s.http, BaseEndpoint: endpoint}, name, err
}
