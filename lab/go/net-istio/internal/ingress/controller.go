// Package ingress is the controller: it keeps Istio's VirtualServices in step with Knative's Ingresses
// and reports an Ingress ready when the gateway pods really route it.
package ingress

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	ingressinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/ingress"
	ingressreconciler "knative.dev/networking/pkg/client/injection/reconciler/networking/v1alpha1/ingress"
	networkinglisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	netconfig "knative.dev/networking/pkg/config"
	"knative.dev/networking/pkg/status"
	endpointsinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/endpoints"
	serviceinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/service"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/reconciler"

	"lab/net-istio/internal/about"
	"lab/net-istio/internal/config"
	"lab/net-istio/internal/istioclient"
)

// NewController wires the reconciler to its informers. Only Ingresses annotated with Istio's class are looked at.
func NewController(ctx context.Context, watcher configmap.Watcher) *controller.Impl {
	logger := logging.FromContext(ctx)
	logger.Info(about.Version)
	ingresses := ingressinformer.Get(ctx)
	virtualServices := istioclient.VirtualServices(ctx)
	gateways := istioclient.Gateways(ctx)
	endpoints := endpointsinformer.Get(ctx)

	r := &ingressReconciler{
		istio:           istioclient.Client(ctx),
		virtualServices: virtualServices.Lister(),
	}
	ours := reconciler.AnnotationFilterFunc(networking.IngressClassAnnotationKey, netconfig.IstioIngressClassName, false)

	var store *config.Store
	impl := ingressreconciler.NewImpl(ctx, r, netconfig.IstioIngressClassName, func(impl *controller.Impl) controller.Options {
		store = config.NewStore(logger.Named("config-store"), func(_ string, value any) {
			if network, ok := value.(*netconfig.Config); ok {
				for _, setting := range unsupported(network) {
					logger.Warnf("config-network: %s is not supported by the %s", setting, about.Version)
				}
			}
			impl.FilteredGlobalResync(ours, ingresses.Informer())
		})
		store.WatchConfigs(watcher)
		return controller.Options{ConfigStore: store, PromoteFilterFunc: ours}
	})

	prober := status.NewProber(logger.Named("prober"),
		&targetLister{gateways: gateways.Lister(), services: serviceinformer.Get(ctx).Lister(), endpoints: endpoints.Lister()},
		func(ing *v1alpha1.Ingress) {
			impl.EnqueueKey(types.NamespacedName{Namespace: ing.Namespace, Name: ing.Name})
		})
	r.prober = prober
	prober.Start(ctx.Done())

	_, _ = ingresses.Informer().AddEventHandler(cache.FilteringResourceEventHandler{
		FilterFunc: ours,
		Handler:    controller.HandleAll(impl.Enqueue),
	})
	_, _ = ingresses.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: prober.CancelIngressProbing})
	_, _ = virtualServices.Informer().AddEventHandler(cache.FilteringResourceEventHandler{
		FilterFunc: controller.FilterController(&v1alpha1.Ingress{}),
		Handler:    controller.HandleAll(impl.EnqueueControllerOf),
	})
	_, _ = endpoints.Informer().AddEventHandler(onGatewayPodsChange(store.Load, func() {
		reprobe(ingresses.Lister(), ours, prober, impl.EnqueueKey)
	}))
	return impl
}

// unsupported lists the settings of config-network that this stand-in does not act on.
func unsupported(cfg *netconfig.Config) []string {
	var out []string
	for setting, on := range map[string]bool{
		netconfig.ExternalDomainTLSKey:           cfg.ExternalDomainTLS,
		netconfig.SystemInternalTLSKey:           cfg.SystemInternalTLSEnabled(),
		netconfig.ClusterLocalDomainTLSKey:       cfg.ClusterLocalDomainTLS == netconfig.EncryptionEnabled,
		netconfig.EnableMeshPodAddressabilityKey: cfg.EnableMeshPodAddressability,
	} {
		if on {
			out = append(out, setting)
		}
	}
	slices.Sort(out)
	return out
}

// onGatewayPodsChange calls do when the pods behind a configured Gateway come or go.
func onGatewayPodsChange(load func() *config.Config, do func()) cache.ResourceEventHandler {
	check := func(obj any) {
		object, ok := obj.(*corev1.Endpoints) //nolint:staticcheck // net-istio.yaml grants endpoints, not endpointslices.
		if !ok || !isGatewayService(load().Istio, types.NamespacedName{Namespace: object.Namespace, Name: object.Name}) {
			return
		}
		do()
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: check,
		UpdateFunc: func(before, after any) {
			b, okB := before.(*corev1.Endpoints) //nolint:staticcheck // as above
			a, okA := after.(*corev1.Endpoints)  //nolint:staticcheck // as above
			if okB && okA && equality.Semantic.DeepEqual(b.Subsets, a.Subsets) {
				return
			}
			check(after)
		},
	}
}

func isGatewayService(cfg *config.Istio, service types.NamespacedName) bool {
	if cfg == nil {
		return false
	}
	for _, gateways := range [][]config.Gateway{cfg.External, cfg.Local} {
		for _, g := range gateways {
			if name, err := g.ServiceName(); err == nil && name == service {
				return true
			}
		}
	}
	return false
}

// reprobe starts afresh for every Ingress that is not ready: its probes may be waiting for pods that are gone,
// or not know those that have come.
func reprobe(lister networkinglisters.IngressLister, ours func(any) bool, p prober, enqueue func(types.NamespacedName)) {
	all, err := lister.List(labels.Everything())
	if err != nil {
		return
	}
	for _, ing := range all {
		if !ours(ing) || ing.IsReady() {
			continue
		}
		p.CancelIngressProbing(ing)
		enqueue(types.NamespacedName{Namespace: ing.Namespace, Name: ing.Name})
	}
}
