// Command echo is the function of runtimeapi's tests. It does what the event asks
// for.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct{ Do, Text string }

func main() {
	if os.Getenv("FAIL_AT_START") != "" {
		log.Fatal("the start fails on request")
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, request request) (any, error) {
	log.Printf("asked to %s", request.Do)
	switch request.Do {
	case "echo":
		return request.Text, nil
	case "fail":
		return nil, errors.New(request.Text)
	case "panic":
		panic(request.Text)
	case "exit":
		os.Exit(3)
		return nil, nil
	case "hang":
		select {}
	case "grow":
		return strings.Repeat("x", 7<<20), nil
	case "describe":
		return describe(ctx)
	case "respond":
		// A line with a declaration of metrics, and a response as for API Gateway.
		fmt.Println(`{"level":"INFO","duration_ms":7,"_aws":{"CloudWatchMetrics":[]},"status":200}`)
		return map[string]any{"statusCode": 200, "body": request.Text}, nil
	default:
		return nil, fmt.Errorf("unknown request %q", request.Do)
	}
}

func describe(ctx context.Context) (any, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("no deadline")
	}
	lambdaContext, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return nil, errors.New("no Lambda context")
	}
	return map[string]any{
		"deadline":    deadline.UnixMilli(),
		"request":     lambdaContext.AwsRequestID,
		"arn":         lambdaContext.InvokedFunctionArn,
		"name":        lambdacontext.FunctionName,
		"version":     lambdacontext.FunctionVersion,
		"memory":      lambdacontext.MemoryLimitInMB,
		"trace":       os.Getenv("_X_AMZN_TRACE_ID"),
		"environment": os.Environ(),
	}, nil
}
