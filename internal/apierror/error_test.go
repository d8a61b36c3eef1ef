package apierror_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	notFound := apierror.New(apierror.NotFound, "s", errors.New("cause"))
	for _, tt := range []struct {
		name string
		err  error
		want apierror.Kind
	}{
		{"an error", notFound, apierror.NotFound},
		{"a wrapped error", fmt.Errorf("read: %w", notFound), apierror.NotFound},
		{"the outer of two", apierror.New(apierror.Unavailable, "s", notFound), apierror.Unavailable},
		{"another error", errors.New("cause"), apierror.Internal},
		{"no error", nil, apierror.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := apierror.KindOf(tt.err); got != tt.want {
				t.Errorf("kind %d, want %d", got, tt.want)
			}
		})
	}
}

func TestFieldErrors_AsError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fields apierror.FieldErrors
		want   string
	}{
		{"no field", apierror.FieldErrors{}, "<nil>"},
		{"fields in order, by their first message", apierror.FieldErrors{"b": {"is bad", "is worse"}, "a": {"is required"}}, "the request is not valid: a is required; b is bad"},
		{
			"five fields",
			apierror.FieldErrors{"a": {"x"}, "b": {"x"}, "c": {"x"}, "d": {"x"}, "e": {"x"}},
			"the request is not valid: a x; b x; c x; d x; e x",
		},
		{
			"six fields",
			apierror.FieldErrors{"a": {"x"}, "b": {"x"}, "c": {"x"}, "d": {"x"}, "e": {"x"}, "f": {"x"}},
			"the request is not valid: a x; b x; c x; d x; e x, and more",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := fmt.Sprint(tt.fields.AsError()); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestFieldErrors_Join(t *testing.T) {
	t.Parallel()
	other := apierror.New(apierror.Malformed, "s", nil)
	taken := &apierror.Error{Kind: apierror.Invalid, Code: apierror.NameTaken, Fields: apierror.FieldErrors{"name": {"taken"}}}
	t.Run("fields of both are in the error", func(t *testing.T) {
		t.Parallel()
		err := apierror.FieldErrors{"a": {"x"}, "b": {"y"}}.Join(apierror.FieldErrors{"a": {"z"}, "c": {"w"}}.AsError())
		e, _ := errors.AsType[*apierror.Error](err)
		if want := (apierror.FieldErrors{"a": {"x", "z"}, "b": {"y"}, "c": {"w"}}); e == nil || !reflect.DeepEqual(e.Fields, want) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no error and no field is no error", func(t *testing.T) {
		t.Parallel()
		if err := (apierror.FieldErrors{}).Join(nil); err != nil {
			t.Errorf("error %v", err)
		}
	})
	for name, err := range map[string]error{"malformed": other, "name_taken": taken} {
		t.Run(name+" is returned as it is", func(t *testing.T) {
			t.Parallel()
			if got := (apierror.FieldErrors{"a": {"x"}}).Join(err); !errors.Is(got, err) {
				t.Errorf("error %v", got)
			}
		})
	}
}
