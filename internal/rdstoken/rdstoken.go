// Package rdstoken makes the tokens with which a role of AWS signs in at Amazon RDS and
// Aurora in place of a password. They are presigned requests: making one asks nobody.
package rdstoken

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"github.com/headgate/headgate/internal/database"
)

// Signer makes tokens of the role that Credentials are of.
type Signer struct{ Credentials aws.CredentialsProvider }

var _ database.Tokens = Signer{}

// Token returns a token for logins at e, valid for 15 minutes. The server checks the
// host name as RDS writes it: in lower case, without a final dot.
func (s Signer) Token(ctx context.Context, e database.Endpoint, region string) (database.Password, error) {
	host := strings.ToLower(strings.TrimSuffix(e.Hostname, "."))
	token, err := auth.BuildAuthToken(ctx, net.JoinHostPort(host, strconv.Itoa(e.Port)), region, e.Username, s.Credentials)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return database.Password(token), nil
}
