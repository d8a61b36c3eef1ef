package customresource_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/customresource"
)

func TestHandle_AnswersInTime(t *testing.T) {
	t.Parallel()
	unavailable := apierror.New(apierror.Unavailable, "away for now", errors.New("cause"))
	moved := event(cfn.RequestUpdate)
	moved.OldResourceProperties = properties("other")
	for name, e := range map[string]cfn.Event{
		"a create": event(cfn.RequestCreate), "an update": event(cfn.RequestUpdate), "a replacement": moved, "a delete": event(cfn.RequestDelete),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, timeout := range []time.Duration{customresource.Timeout, 30 * time.Second} {
					ctx, cancel := context.WithTimeout(t.Context(), timeout)
					b := &bucket{status: http.StatusOK}
					s := &service{elsewhere: e.OldResourceProperties["AccountId"] == "other", always: unavailable, forget: unavailable}
					h := customresource.Handler{Service: s, Client: &http.Client{Transport: b}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler)}
					if err := h.Handle(ctx, e); err != nil || ctx.Err() != nil || b.answer.Status != cfn.StatusFailed {
						t.Errorf("in %s: error %v, %v, answer %+v", timeout, err, ctx.Err(), b.answer)
					}
					cancel()
				}
			})
		})
	}
}

func TestHandle_ResponseURL(t *testing.T) {
	t.Parallel()
	const bucketName = "cloudformation-custom-resource-response-"
	for _, tt := range []struct {
		region, host string
		answered     bool
	}{
		{"us-east-1", bucketName + "useast1.s3.amazonaws.com", true},
		{"us-east-1", bucketName + "useast1.s3.us-east-1.amazonaws.com", true},
		{"eu-west-1", bucketName + "euwest1.s3-eu-west-1.amazonaws.com", true},
		{"eu-west-1", bucketName + "EUWEST1.s3.eu-west-1.amazonaws.com:443", true},
		{"ap-southeast-4", bucketName + "apsoutheast4.s3.dualstack.ap-southeast-4.amazonaws.com", true},
		{"us-gov-west-1", bucketName + "usgovwest1.s3.us-gov-west-1.amazonaws.com", true},
		{"cn-north-1", bucketName + "cnnorth1.s3.cn-north-1.amazonaws.com.cn", true},

		{"us-east-1", bucketName + "useast1.s3-evil.execute-api.us-east-1.amazonaws.com", false},
		{"us-east-1", bucketName + "useast1.s3.execute-api.us-east-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1.s3-abc.elb.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1.s3-website-eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1.s3-website.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1.s3-accesspoint.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "evil.s3.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + ".s3.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1-evil.s3.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest9.s3.amazonaws.com", false},
		{"eu-west-1", bucketName + "useast1.s3.us-east-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1.s3.us-east-1.amazonaws.com", false},
		{"eu-west-1", "evil." + bucketName + "euwest1.s3.eu-west-1.amazonaws.com", false},
		{"eu-west-1", "evil.s3.eu-west-1.amazonaws.com", false},
		{"eu-west-1", bucketName + "euwest1.s3.eu-west-1.amazonaws.com.cn", false},
		{"eu-west-1", bucketName + "euwest1.s3.eu-west-1.amazonaws.com.example.com", false},
		{"eu-west-1", bucketName + "euwest1.s3.eu-west-1.amazonaws.com:8443", false},
		{"", bucketName + ".s3.amazonaws.com", false},
	} {
		t.Run(tt.region+" "+tt.host, func(t *testing.T) {
			t.Parallel()
			b := &bucket{status: http.StatusOK}
			s := &service{}
			h := customresource.Handler{Service: s, Client: &http.Client{Transport: b}, Region: tt.region, Log: slog.New(slog.DiscardHandler)}
			e := event(cfn.RequestCreate)
			e.ResponseURL = "https://" + tt.host + "/answer?signature"
			if err := h.Handle(t.Context(), e); err != nil {
				t.Errorf("error %v", err)
			}
			if answered := b.answer.Status == cfn.StatusSuccess; answered != tt.answered || answered != (len(s.calls) > 0) {
				t.Errorf("answer %+v after %q", b.answer, s.calls)
			}
		})
	}
}

func TestHandle_Properties(t *testing.T) {
	t.Parallel()
	slot := func(name string, value any) []any {
		return []any{map[string]any{"publication_name": "p", "slot_name": "s", name: value}}
	}
	for _, tt := range []struct {
		name, property string
		value          any
		reason         string // empty if it is accepted
	}{
		{"what CloudFormation adds", "ServiceTimeout", "60", ""},
		{"an account in a slot", "replication_slots", slot("AccountId", "x"), "replication_slots[0].AccountId is not a known field"},
		{"a token in a slot", "replication_slots", slot("ServiceToken", "x"), "replication_slots[0].ServiceToken is not a known field"},
		{"a timeout in a publication", "replication_slots", slot("publication", map[string]any{"create_if_not_exists": "true", "ServiceTimeout": "1"}), "replication_slots[0].publication.ServiceTimeout is not a known field"},
		{"a token in annotations", "annotations", map[string]any{"ServiceToken": "x"}, ""},
		{"a port", "port", "5433", ""},
		{"a port with a sign", "port", "+5432", "port must be an integer"},
		{"a port with a zero", "port", "05432", "port must be an integer"},
		{"a port with a space", "port", " 5432", "port must be an integer"},
		{"a port below zero", "port", "-1", "port must be between 1 and 65535"},
		{"minus zero", "port", "-0", "port must be an integer"},
		{"a fraction", "port", "5432.0", "port must be an integer"},
		{"a boolean in capitals", "ssl", "True", "ssl must be true or false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
				b := &bucket{status: http.StatusOK}
				h := customresource.Handler{Service: &service{}, Client: &http.Client{Transport: b}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler)}
				e := event(kind)
				e.ResourceProperties[tt.property] = tt.value
				if err := h.Handle(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				if (b.answer.Status == cfn.StatusFailed) != (tt.reason != "") || !strings.Contains(b.answer.Reason, tt.reason) {
					t.Errorf("%s: answer %+v", kind, b.answer)
				}
			}
		})
	}
}
