package about

import (
	"strings"
	"testing"
)

func TestVersionFlag(t *testing.T) {
	var out strings.Builder
	if !HandleVersionFlag("net-istio-webhook", []string{"--version"}, &out) ||
		out.String() != "net-istio-webhook: quickstart lab stand-in for net-istio 1.21\n" {
		t.Errorf("got %q", out.String())
	}
	if HandleVersionFlag("net-istio-webhook", []string{"--kubeconfig", "x"}, &out) {
		t.Error("other flags belong to the shared main function")
	}
}
