package config

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func parseData(t *testing.T, data map[string]string) (*Istio, error) {
	t.Helper()
	t.Setenv("SYSTEM_NAMESPACE", "knative-serving")
	return NewIstio(&corev1.ConfigMap{Data: data})
}

func TestDefaultsAreTheGatewaysOfTheManifest(t *testing.T) {
	cfg, err := parseData(t, map[string]string{"_example": "external-gateways: nonsense"})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.External) != 1 || cfg.External[0].Key() != "knative-serving/knative-ingress-gateway" ||
		cfg.External[0].Service != "istio-ingressgateway.istio-system.svc.cluster.local" {
		t.Errorf("external %+v", cfg.External)
	}
	if len(cfg.Local) != 1 || cfg.Local[0].Key() != "knative-serving/knative-local-gateway" ||
		cfg.Local[0].Service != "knative-local-gateway.istio-system.svc.cluster.local" {
		t.Errorf("local %+v", cfg.Local)
	}
	name, err := cfg.Local[0].ServiceName()
	if want := (types.NamespacedName{Namespace: "istio-system", Name: "knative-local-gateway"}); err != nil || name != want {
		t.Errorf("service %v, %v", name, err)
	}
}

func TestNewFormat(t *testing.T) {
	cfg, err := parseData(t, map[string]string{"external-gateways": `
- name: blue
  namespace: edge
  service: blue.edge.svc.cluster.local
- name: red
  namespace: edge
  service: red.edge.svc.cluster.local
  labelSelector:
    matchLabels: {team: red}
`})
	if err != nil {
		t.Fatal(err)
	}
	if got := Select(cfg.External, map[string]string{"team": "red"}); len(got) != 1 || got[0].Name != "red" {
		t.Errorf("for team red: %+v", got)
	}
	if got := Select(cfg.External, nil); len(got) != 1 || got[0].Name != "blue" {
		t.Errorf("for nobody: %+v", got)
	}
	if len(cfg.Local) != 1 || cfg.Local[0].Name != "knative-local-gateway" {
		t.Errorf("local must be the default: %+v", cfg.Local)
	}
}

func TestOldFormat(t *testing.T) {
	cfg, err := parseData(t, map[string]string{
		"gateway.edge.blue":   "blue.edge.svc.cluster.local",
		"gateway.unqualified": "u.edge.svc.cluster.local",
		"local-gateway.a.b":   "b.a.svc.cluster.local",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.External) != 2 || cfg.External[0].Key() != "edge/blue" || cfg.External[1].Key() != "knative-serving/unqualified" {
		t.Errorf("external %+v", cfg.External)
	}
	if len(cfg.Local) != 1 || cfg.Local[0].Key() != "a/b" {
		t.Errorf("local %+v", cfg.Local)
	}
}

func TestInvalidConfigurations(t *testing.T) {
	gateway := func(lines string) map[string]string { return map[string]string{"external-gateways": lines} }
	for name, c := range map[string]struct {
		data map[string]string
		want string
	}{
		"not YAML":         {gateway("- name: ["), "external-gateways"},
		"not a list":       {gateway("name: x"), "external-gateways"},
		"no name":          {gateway("- {namespace: n, service: s.n.svc.cluster.local}"), "missing name"},
		"no namespace":     {gateway("- {name: x, service: s.n.svc.cluster.local}"), "missing namespace"},
		"no service":       {gateway("- {name: x, namespace: n}"), "missing service"},
		"bad service":      {gateway("- {name: x, namespace: n, service: '_s_'}"), "service \"_s_\""},
		"two defaults":     {gateway("- {name: x, namespace: n, service: s.n.svc}\n- {name: y, namespace: n, service: s.n.svc}"), "found 2"},
		"bad selector":     {gateway("- {name: x, namespace: n, service: s.n.svc, labelSelector: {matchExpressions: [{key: a, operator: Near}]}}"), "labelSelector"},
		"bad old service":  {map[string]string{"gateway.n.x": "not a host"}, "service \"not a host\""},
		"old and new keys": {map[string]string{"gateway.n.x": "s.n.svc", "local-gateways": "[]"}, "cannot be used together"},
	} {
		t.Run(name, func(t *testing.T) {
			if cfg, err := parseData(t, c.data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v; want an error saying %q", cfg, err, c.want)
			}
		})
	}
}

func TestSelectIgnoresUnmatchedSelectors(t *testing.T) {
	restricted := Gateway{Name: "r", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
	if got := Select([]Gateway{restricted}, map[string]string{"a": "c"}); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
