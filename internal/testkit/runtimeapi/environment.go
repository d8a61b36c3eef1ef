package runtimeapi

import (
	"path/filepath"
	"strings"
)

const (
	defaultRegion = "us-east-1"
	memorySize    = "256"
)

// environment returns the function's variables: Lambda's, then the caller's,
// then the address of this API.
func (c Config) environment(address string) []string {
	region := c.region()
	environment := []string{
		"PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"_HANDLER=bootstrap",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(c.Binary),
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region,
		"AWS_LAMBDA_FUNCTION_NAME=" + c.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + memorySize,
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + c.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
	}
	environment = append(environment, c.Env...)
	return append(environment, "AWS_LAMBDA_RUNTIME_API="+address)
}

// region returns the caller's region or the default.
func (c Config) region() string {
	region := defaultRegion
	for _, variable := range c.Env {
		if value, found := strings.CutPrefix(variable, "AWS_REGION="); found {
			region = value
		}
	}
	return region
}
