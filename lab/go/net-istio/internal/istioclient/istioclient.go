// Package istioclient registers Istio's client and the two informers the controller needs with Knative's injection,
// so that the shared main function builds, starts and syncs them.
package istioclient

import (
	"context"

	"istio.io/client-go/pkg/clientset/versioned"
	"istio.io/client-go/pkg/informers/externalversions"
	"istio.io/client-go/pkg/informers/externalversions/networking/v1beta1"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"
)

type (
	clientKey         struct{}
	factoryKey        struct{}
	virtualServiceKey struct{}
	gatewayKey        struct{}
)

func init() {
	injection.Default.RegisterClient(func(ctx context.Context, cfg *rest.Config) context.Context {
		return context.WithValue(ctx, clientKey{}, versioned.Interface(versioned.NewForConfigOrDie(cfg)))
	})
	injection.Default.RegisterInformerFactory(func(ctx context.Context) context.Context {
		return context.WithValue(ctx, factoryKey{},
			externalversions.NewSharedInformerFactory(Client(ctx), controller.GetResyncPeriod(ctx)))
	})
	injection.Default.RegisterInformer(func(ctx context.Context) (context.Context, controller.Informer) {
		inf := factory(ctx).Networking().V1beta1().VirtualServices()
		return context.WithValue(ctx, virtualServiceKey{}, inf), inf.Informer()
	})
	injection.Default.RegisterInformer(func(ctx context.Context) (context.Context, controller.Informer) {
		inf := factory(ctx).Networking().V1beta1().Gateways()
		return context.WithValue(ctx, gatewayKey{}, inf), inf.Informer()
	})
}

// Client is the Istio client of the injection context.
func Client(ctx context.Context) versioned.Interface {
	return get[versioned.Interface](ctx, clientKey{})
}

// VirtualServices is the informer of all VirtualServices.
func VirtualServices(ctx context.Context) v1beta1.VirtualServiceInformer {
	return get[v1beta1.VirtualServiceInformer](ctx, virtualServiceKey{})
}

// Gateways is the informer of all Gateways.
func Gateways(ctx context.Context) v1beta1.GatewayInformer {
	return get[v1beta1.GatewayInformer](ctx, gatewayKey{})
}

func factory(ctx context.Context) externalversions.SharedInformerFactory {
	return get[externalversions.SharedInformerFactory](ctx, factoryKey{})
}

func get[T any](ctx context.Context, key any) T {
	value, ok := ctx.Value(key).(T)
	if !ok {
		logging.FromContext(ctx).Panicf("no %T in the context: injection has not run", *new(T))
	}
	return value
}
