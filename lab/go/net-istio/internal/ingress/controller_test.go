package ingress

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	networkinglisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	netconfig "knative.dev/networking/pkg/config"

	"lab/net-istio/internal/config"
)

func TestOnlyGatewayEndpointsMatter(t *testing.T) {
	cfg := config.FromContext(inContext(t))
	called := 0
	handler := onGatewayPodsChange(func() *config.Config { return cfg }, func() { called++ })
	handler.OnAdd(endpoints("other", "10.0.0.1"), true)
	handler.OnAdd(&corev1.Pod{}, true)
	if called != 0 {
		t.Error("called for something else")
	}
	handler.OnAdd(endpoints("knative-local-gateway", "10.0.0.1"), true)
	handler.OnUpdate(endpoints("istio-ingressgateway", "10.0.0.1"), endpoints("istio-ingressgateway", "10.0.0.1"))
	if called != 1 {
		t.Errorf("called %d times, want once: nothing changed in the update", called)
	}
	handler.OnUpdate(endpoints("istio-ingressgateway", "10.0.0.1"), endpoints("istio-ingressgateway", "10.0.0.2"))
	if called != 2 {
		t.Errorf("called %d times, want twice", called)
	}
	if isGatewayService(nil, types.NamespacedName{}) {
		t.Error("before config-istio is read nothing is a gateway")
	}
}

// The library takes a cancelled probe of a pod that is gone for a passed one; so the probing starts afresh instead.
func TestChangedPodsAreProbedAfreshForWhatIsNotReady(t *testing.T) {
	waiting, ready, foreign := knativeIngress(), knativeIngress(), knativeIngress()
	waiting.Name, ready.Name, foreign.Name = "waiting", "ready", "foreign"
	waiting.Status.InitializeConditions()
	ready.Status.ObservedGeneration = ready.Generation
	ready.Status.MarkNetworkConfigured()
	ready.Status.MarkLoadBalancerReady(nil, nil)
	lister := networkinglisters.NewIngressLister(newIndexer(t, waiting, ready, foreign))

	p := &fakeProber{}
	var enqueued []string
	ours := func(obj any) bool { return obj.(*v1alpha1.Ingress).Name != "foreign" }
	reprobe(lister, ours, p, func(key types.NamespacedName) { enqueued = append(enqueued, key.String()) })
	if len(enqueued) != 1 || enqueued[0] != "kserve-test/waiting" || p.canceled != 1 {
		t.Errorf("enqueued %v, canceled %d; want only kserve-test/waiting", enqueued, p.canceled)
	}
}

func TestUnsupportedNetworkSettingsAreNamed(t *testing.T) {
	cfg, err := netconfig.NewConfigFromMap(map[string]string{"system-internal-tls": "Enabled", "external-domain-tls": "Enabled"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := unsupported(cfg), []string{"external-domain-tls", "system-internal-tls"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	plain, err := netconfig.NewConfigFromMap(nil)
	if err != nil || len(unsupported(plain)) != 0 {
		t.Errorf("the defaults are all supported; got %v, %v", unsupported(plain), err)
	}
}
