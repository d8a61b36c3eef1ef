package customresource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

const (
	// answerTimeout bounds sending an answer, sendTimeout one attempt at it.
	answerTimeout = 12 * time.Second
	sendTimeout   = 3 * time.Second
	retryPause    = 200 * time.Millisecond
)

// maxReason is the limit of a reason in bytes. CloudFormation limits the whole
// answer to 4,096 bytes.
const maxReason = 1 << 10

// errForeignURL says that an answer would go to somebody other than CloudFormation.
var errForeignURL = errors.New("the response URL is not of CloudFormation's bucket")

// checkURL returns errForeignURL unless the URL leads to the bucket of S3 in which
// CloudFormation waits for answers in that region (AWS CloudFormation User Guide, "VPC
// endpoints and custom resources"). The bucket of a region that does not exist could be
// anybody's.
func checkURL(responseURL, region string) error {
	u, err := url.Parse(responseURL)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" ||
		region == "" || !slices.Contains(answerHosts(region), strings.ToLower(u.Hostname())) {
		return errForeignURL
	}
	return nil
}

// answerHosts returns the names of that bucket at S3's endpoints of the region.
func answerHosts(region string) []string {
	bucket := "cloudformation-custom-resource-response-" + strings.ReplaceAll(region, "-", "")
	domain := ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return []string{
		bucket + ".s3" + domain,
		bucket + ".s3." + region + domain,
		bucket + ".s3-" + region + domain,
		bucket + ".s3.dualstack." + region + domain,
	}
}

// send sends an answer to the presigned URL, several times if necessary: without an
// answer a stack waits for an hour.
func (h *Handler) send(ctx context.Context, responseURL string, r *cfn.Response) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for {
		err := h.put(ctx, responseURL, body)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("send answer: %w", err)
		case <-time.After(retryPause):
		}
	}
}

// put makes one attempt. Its error holds no URL, because the URL is a credential.
func (h *Handler) put(ctx context.Context, responseURL string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, responseURL, bytes.NewReader(body))
	if err != nil {
		return errForeignURL
	}
	// A header with a content type would break the URL's signature.
	response, err := h.Client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// reason returns text cut to what CloudFormation shows.
func reason(text string) string {
	if len(text) <= maxReason {
		return text
	}
	const cut = " …"
	return strings.ToValidUTF8(text[:maxReason-len(cut)], "") + cut
}
