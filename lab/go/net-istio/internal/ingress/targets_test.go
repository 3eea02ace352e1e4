package ingress

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	istiolisters "istio.io/client-go/pkg/listers/networking/v1beta1"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
	"knative.dev/networking/pkg/status"
)

func TestProbeTargets(t *testing.T) {
	targets, err := cluster(t, "10.0.0.7", 8080, 8081).ListProbeTargets(inContext(t), knativeIngress())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range targets {
		for ip := range target.PodIPs {
			got = append(got, ip+":"+target.PodPort+" "+target.URLs[0].String())
		}
	}
	slices.Sort(got)
	want := []string{
		"10.0.0.7:8080 http://iris.kserve-test.example.com:80/",
		"10.0.0.7:8081 http://iris.kserve-test:8081/", // The local gateway, whose Service has no port 8081, is asked as well.
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNoGatewayPodsIsNotReady(t *testing.T) {
	_, err := cluster(t, "", 8080, 8081).ListProbeTargets(inContext(t), knativeIngress())
	if !errors.Is(err, errNoGatewayPods) {
		t.Errorf("got %v: without gateway pods an Ingress must not count as ready", err)
	}
}

func TestMissingGatewayIsNotReady(t *testing.T) {
	lister := cluster(t, "10.0.0.7", 8080, 8081)
	lister.gateways = istiolisters.NewGatewayLister(newIndexer(t))
	if _, err := lister.ListProbeTargets(inContext(t), knativeIngress()); !errors.Is(err, errNoGatewayPods) {
		t.Errorf("got %v", err)
	}
}

// TestReadyOnlyWhenTheGatewayRoutes asks a stand-in for Envoy through the network: first it knows no route (404),
// then an old version of it, then the right one.
func TestReadyOnlyWhenTheGatewayRoutes(t *testing.T) {
	ctx := inContext(t)
	ing := knativeIngress()
	sum, err := ingress.ComputeHash(ing)
	if err != nil {
		t.Fatal(err)
	}
	const unknown, old, current = 0, 1, 2
	var knows atomic.Int32
	asked := make(chan int32, 1000) // In which state each answer was given.
	envoy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("K-Network-Probe") != "probe" || r.Header.Get("K-Network-Hash") != "override" || !strings.HasPrefix(r.Host, "iris.kserve-test") {
			t.Errorf("unexpected request for %s: %v", r.Host, r.Header)
		}
		state := knows.Load()
		switch state {
		case unknown:
			w.WriteHeader(http.StatusNotFound)
		case old:
			w.Header().Set("K-Network-Hash", "0123")
		case current:
			w.Header().Set("K-Network-Hash", hex.EncodeToString(sum[:]))
		}
		asked <- state
	}))
	defer envoy.Close()
	ip, port := hostPort(t, envoy.Listener.Addr().String())

	ready := make(chan struct{}, 1)
	prober := status.NewProber(zaptest.NewLogger(t).Sugar(), cluster(t, ip, port, port), func(*v1alpha1.Ingress) { ready <- struct{}{} })
	stop := make(chan struct{})
	done := prober.Start(stop)
	defer func() { close(stop); <-done }()

	isReady := func() bool {
		ok, err := prober.IsReady(ctx, ing)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if isReady() {
		t.Fatal("ready before anything was asked")
	}
	for _, state := range []int32{unknown, old} {
		knows.Store(state)
		for deadline := time.After(20 * time.Second); ; {
			select {
			case answered := <-asked:
				if answered != state {
					continue
				}
			case <-deadline:
				t.Fatal("the gateway was not asked")
			}
			break
		}
		if isReady() {
			t.Fatalf("ready although the gateway is in state %d", state)
		}
	}
	knows.Store(current)
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		t.Fatal("not ready in time")
	}
	if !isReady() {
		t.Error("not ready although all gateways have the route")
	}
}
