package ingress

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"google.golang.org/protobuf/proto"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	istioclient "istio.io/client-go/pkg/clientset/versioned"
	istiolisters "istio.io/client-go/pkg/listers/networking/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	ingressreconciler "knative.dev/networking/pkg/client/injection/reconciler/networking/v1alpha1/ingress"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/reconciler"

	"lab/net-istio/internal/config"
	"lab/net-istio/internal/routes"
)

// podsRetry is how often an Ingress whose Gateway has no ready pods is looked at again,
// besides the changes of the Gateway's endpoints.
const podsRetry = 5 * time.Second

// prober asks the gateway pods whether they route an Ingress as it now is.
type prober interface {
	IsReady(ctx context.Context, ing *v1alpha1.Ingress) (bool, error)
	CancelIngressProbing(obj any)
}

// ingressReconciler brings one Ingress into effect. Its VirtualServices carry an owner reference,
// so that deletion is the garbage collector's work and no finalizer is needed.
type ingressReconciler struct {
	istio           istioclient.Interface
	virtualServices istiolisters.VirtualServiceLister
	prober          prober
}

var _ ingressreconciler.Interface = (*ingressReconciler)(nil)

// ReconcileKind writes the VirtualServices, then reports the Ingress ready once the gateway pods have them.
func (r *ingressReconciler) ReconcileKind(ctx context.Context, ing *v1alpha1.Ingress) reconciler.Event {
	gateways := gatewaysFor(config.FromContext(ctx).Istio, ing)
	desired, err := routes.VirtualServices(ing, gatewayKeys(gateways))
	if err != nil {
		ing.Status.MarkLoadBalancerFailed("InvalidIngress", err.Error())
		return controller.NewPermanentError(err)
	}
	warnAboutTLS(ctx, ing)

	changed, err := r.applyAll(ctx, ing, desired)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		ing.Status.MarkLoadBalancerNotReady() // Our cache was behind; the next attempt sees the newest object.
		return err
	}
	if err != nil {
		ing.Status.MarkLoadBalancerFailed("ReconcileVirtualServiceFailed", err.Error())
		return err
	}
	ing.Status.MarkNetworkConfigured()

	ready, err := r.isReady(ctx, ing, changed)
	switch {
	case errors.Is(err, errNoGatewayPods):
		logging.FromContext(ctx).Infof("not ready yet: %v", err)
		ing.Status.MarkLoadBalancerNotReady()
		return controller.NewRequeueAfter(podsRetry)
	case err != nil:
		ing.Status.MarkLoadBalancerNotReady()
		return fmt.Errorf("probing the gateways: %w", err)
	case !ready:
		ing.Status.MarkLoadBalancerNotReady()
	default:
		ing.Status.MarkLoadBalancerReady(
			addresses(gateways[v1alpha1.IngressVisibilityExternalIP]),
			addresses(gateways[v1alpha1.IngressVisibilityClusterLocal]))
	}
	return nil
}

// isReady trusts an earlier Ready of this generation as long as no route was changed, lest every restart
// of this controller asks for every route; otherwise the gateway pods are asked.
func (r *ingressReconciler) isReady(ctx context.Context, ing *v1alpha1.Ingress, changed bool) (bool, error) {
	if changed {
		r.prober.CancelIngressProbing(ing)
	} else if ing.IsReady() {
		return true, nil
	}
	return r.prober.IsReady(ctx, ing)
}

func addresses(gateways []config.Gateway) []v1alpha1.LoadBalancerIngressStatus {
	var out []v1alpha1.LoadBalancerIngressStatus
	for _, g := range gateways {
		out = append(out, v1alpha1.LoadBalancerIngressStatus{DomainInternal: g.Service})
	}
	return out
}

func warnAboutTLS(ctx context.Context, ing *v1alpha1.Ingress) {
	if len(ing.Spec.TLS) > 0 || ing.Spec.HTTPOption == v1alpha1.HTTPOptionRedirected {
		logging.FromContext(ctx).Warn("this stand-in serves plain HTTP only: the tls section and the redirect to HTTPS are ignored")
	}
}

// applyAll makes the VirtualServices of the Ingress exactly the desired ones; it tells whether a route changed.
func (r *ingressReconciler) applyAll(ctx context.Context, ing *v1alpha1.Ingress, desired []*v1beta1.VirtualService) (bool, error) {
	kept := sets.New[string]()
	anyChanged := false
	for _, vs := range desired {
		changed, err := r.apply(ctx, ing, vs)
		if err != nil {
			return false, fmt.Errorf("virtual service %s: %w", vs.Name, err)
		}
		anyChanged = anyChanged || changed
		kept.Insert(vs.Name)
	}

	existing, err := r.virtualServices.VirtualServices(ing.Namespace).List(
		labels.SelectorFromSet(labels.Set{networking.IngressLabelKey: ing.Name}))
	if err != nil {
		return false, err
	}
	for _, vs := range existing {
		if kept.Has(vs.Name) || !metav1.IsControlledBy(vs, ing) {
			continue
		}
		err := r.istio.NetworkingV1beta1().VirtualServices(vs.Namespace).Delete(ctx, vs.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("deleting virtual service %s: %w", vs.Name, err)
		}
	}
	return anyChanged, nil
}

func (r *ingressReconciler) apply(ctx context.Context, ing *v1alpha1.Ingress, desired *v1beta1.VirtualService) (bool, error) {
	client := r.istio.NetworkingV1beta1().VirtualServices(desired.Namespace)
	existing, err := r.virtualServices.VirtualServices(desired.Namespace).Get(desired.Name)
	if apierrors.IsNotFound(err) {
		_, err := client.Create(ctx, desired, metav1.CreateOptions{})
		return true, err
	}
	if err != nil {
		return false, err
	}
	if !metav1.IsControlledBy(existing, ing) {
		ing.Status.MarkResourceNotOwned("VirtualService", desired.Name)
		return false, fmt.Errorf("it exists and is not owned by ingress %s", ing.Name)
	}
	sameRoutes := proto.Equal(&existing.Spec, &desired.Spec)
	if sameRoutes && maps.Equal(existing.Labels, desired.Labels) && maps.Equal(existing.Annotations, desired.Annotations) {
		return false, nil
	}
	updated := existing.DeepCopy() // The informer's copy is shared.
	desired.Spec.DeepCopyInto(&updated.Spec)
	updated.Labels = desired.Labels
	updated.Annotations = desired.Annotations
	_, err = client.Update(ctx, updated, metav1.UpdateOptions{})
	return !sameRoutes, err
}
