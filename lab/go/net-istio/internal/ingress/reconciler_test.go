package ingress

import (
	"context"
	"slices"
	"testing"

	"istio.io/client-go/pkg/apis/networking/v1beta1"
	istiofake "istio.io/client-go/pkg/clientset/versioned/fake"
	istiolisters "istio.io/client-go/pkg/listers/networking/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clienttesting "k8s.io/client-go/testing"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/controller"
)

type fakeProber struct {
	ready    bool
	err      error
	asked    int
	canceled int
}

func (p *fakeProber) IsReady(context.Context, *v1alpha1.Ingress) (bool, error) {
	p.asked++
	return p.ready, p.err
}

func (p *fakeProber) CancelIngressProbing(any) { p.canceled++ }

// harness is a reconciler over a fake Istio API that already has the given objects.
type harness struct {
	*ingressReconciler
	prober *fakeProber
	client *istiofake.Clientset
}

func newHarness(t *testing.T, prober *fakeProber, existing ...*v1beta1.VirtualService) *harness {
	t.Helper()
	client := istiofake.NewSimpleClientset()
	indexer := newIndexer(t)
	for _, vs := range existing {
		if err := indexer.Add(vs); err != nil {
			t.Fatal(err)
		}
		if err := client.Tracker().Add(vs); err != nil {
			t.Fatal(err)
		}
	}
	return &harness{&ingressReconciler{
		istio: client, virtualServices: istiolisters.NewVirtualServiceLister(indexer), prober: prober,
	}, prober, client}
}

func (h *harness) writes() []string {
	var out []string
	for _, action := range h.client.Actions() {
		switch a := action.(type) {
		case clienttesting.CreateAction: // An update is one, too.
			out = append(out, a.GetVerb()+" "+a.GetObject().(*v1beta1.VirtualService).Name)
		case clienttesting.DeleteAction:
			out = append(out, a.GetVerb()+" "+a.GetName())
		}
	}
	return out
}

// written reconciles once and returns what is then stored.
func written(t *testing.T, ctx context.Context, ing *v1alpha1.Ingress) []*v1beta1.VirtualService {
	t.Helper()
	h := newHarness(t, &fakeProber{})
	if err := h.ReconcileKind(ctx, ing.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	list, err := h.client.NetworkingV1beta1().VirtualServices(ing.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func TestCreatesAndWaitsForTheGateways(t *testing.T) {
	ctx := inContext(t)
	h := newHarness(t, &fakeProber{ready: false})
	ing := knativeIngress()
	if err := h.ReconcileKind(ctx, ing); err != nil {
		t.Fatal(err)
	}
	if got, want := h.writes(), []string{"create iris-mesh", "create iris-ingress"}; !slices.Equal(got, want) {
		t.Errorf("writes %v, want %v", got, want)
	}
	if !ing.Status.GetCondition(v1alpha1.IngressConditionNetworkConfigured).IsTrue() {
		t.Error("network not configured")
	}
	if !ing.Status.GetCondition(v1alpha1.IngressConditionReady).IsUnknown() || ing.Status.PublicLoadBalancer != nil {
		t.Errorf("status %+v, want not ready yet", ing.Status)
	}
}

func TestReadyNamesTheGatewayServices(t *testing.T) {
	ctx := inContext(t)
	h := newHarness(t, &fakeProber{ready: true})
	ing := knativeIngress()
	ing.Status.ObservedGeneration = ing.Generation // As the generated reconciler leaves it.
	if err := h.ReconcileKind(ctx, ing); err != nil {
		t.Fatal(err)
	}
	if !ing.IsReady() {
		t.Errorf("conditions %v", ing.Status.Conditions)
	}
	for want, lb := range map[string]*v1alpha1.LoadBalancerStatus{
		"istio-ingressgateway.istio-system.svc.cluster.local":  ing.Status.PublicLoadBalancer,
		"knative-local-gateway.istio-system.svc.cluster.local": ing.Status.PrivateLoadBalancer,
	} {
		if lb == nil || len(lb.Ingress) != 1 || lb.Ingress[0].DomainInternal != want {
			t.Errorf("load balancer %+v, want %s", lb, want)
		}
	}
}

func TestSecondRunChangesNothingAndTrustsReady(t *testing.T) {
	ctx := inContext(t)
	ing := knativeIngress()
	h := newHarness(t, &fakeProber{ready: false}, written(t, ctx, ing)...)
	ing.Status.ObservedGeneration = ing.Generation
	ing.Status.InitializeConditions()
	ing.Status.MarkNetworkConfigured()
	ing.Status.MarkLoadBalancerReady(nil, nil)
	if err := h.ReconcileKind(ctx, ing); err != nil {
		t.Fatal(err)
	}
	if got := h.writes(); len(got) != 0 || h.prober.asked != 0 || !ing.IsReady() {
		t.Errorf("writes %v, asked %d times, ready %v", got, h.prober.asked, ing.IsReady())
	}
}

func TestChangedRoutesAreProbedAgain(t *testing.T) {
	ctx := inContext(t)
	ing := knativeIngress()
	existing := written(t, ctx, ing)
	ing.Spec.Rules[0].HTTP.Paths[0].Splits[0].ServiceName = "iris-00002"
	h := newHarness(t, &fakeProber{ready: false}, existing...)
	ing.Status.ObservedGeneration = ing.Generation
	ing.Status.InitializeConditions()
	ing.Status.MarkNetworkConfigured()
	ing.Status.MarkLoadBalancerReady(nil, nil)
	if err := h.ReconcileKind(ctx, ing); err != nil {
		t.Fatal(err)
	}
	if got, want := h.writes(), []string{"update iris-mesh", "update iris-ingress"}; !slices.Equal(got, want) {
		t.Errorf("writes %v, want %v", got, want)
	}
	if h.prober.canceled != 1 || h.prober.asked != 1 || ing.IsReady() {
		t.Errorf("canceled %d, asked %d, ready %v", h.prober.canceled, h.prober.asked, ing.IsReady())
	}
}

func TestObsoleteVirtualServiceIsDeleted(t *testing.T) {
	ctx := inContext(t)
	ing := knativeIngress()
	existing := written(t, ctx, ing)
	ing.Spec.Rules = ing.Spec.Rules[1:] // No cluster-local host any more.
	h := newHarness(t, &fakeProber{}, existing...)
	if err := h.ReconcileKind(ctx, ing); err != nil {
		t.Fatal(err)
	}
	if got, want := h.writes(), []string{"update iris-ingress", "delete iris-mesh"}; !slices.Equal(got, want) {
		t.Errorf("writes %v, want %v", got, want)
	}
}

func TestForeignVirtualServiceIsNotTouched(t *testing.T) {
	ctx := inContext(t)
	ing := knativeIngress()
	existing := written(t, ctx, ing)
	for _, vs := range existing {
		vs.OwnerReferences = nil
	}
	h := newHarness(t, &fakeProber{}, existing...)
	if err := h.ReconcileKind(ctx, ing); err == nil {
		t.Error("want an error")
	}
	if got := h.writes(); len(got) != 0 {
		t.Errorf("writes %v", got)
	}
	if !ing.Status.GetCondition(v1alpha1.IngressConditionNetworkConfigured).IsFalse() {
		t.Error("the status must say that the object is not owned")
	}
}

func TestNoGatewayPodsIsLookedAtAgain(t *testing.T) {
	h := newHarness(t, &fakeProber{err: errNoGatewayPods})
	ing := knativeIngress()
	event := h.ReconcileKind(inContext(t), ing)
	if again, after := controller.IsRequeueKey(event); !again || after != podsRetry {
		t.Errorf("got %v, want a requeue after %v", event, podsRetry)
	}
	if !ing.Status.GetCondition(v1alpha1.IngressConditionReady).IsUnknown() {
		t.Error("must not be ready")
	}
}

func TestInvalidIngressFailsForGood(t *testing.T) {
	h := newHarness(t, &fakeProber{})
	ing := knativeIngress()
	ing.Spec.Rules[0].HTTP = nil
	event := h.ReconcileKind(inContext(t), ing)
	if !controller.IsPermanentError(event) || !ing.Status.GetCondition(v1alpha1.IngressConditionReady).IsFalse() {
		t.Errorf("event %v, conditions %v", event, ing.Status.Conditions)
	}
}
