// net-istio-webhook validates the ConfigMap config-istio and labels the Deployments of Knative Revisions:
// the lab's stand-in for the image knative.dev/net-istio/cmd/webhook.
package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/certificates"
	"knative.dev/pkg/webhook/configmaps"
	"knative.dev/pkg/webhook/resourcesemantics"
	"knative.dev/pkg/webhook/resourcesemantics/defaulting"

	"lab/net-istio/internal/about"
	"lab/net-istio/internal/canonical"
	"lab/net-istio/internal/config"
)

// The names are those of the objects in net-istio.yaml.
const (
	program           = "net-istio-webhook"
	serviceName       = "net-istio-webhook"
	secretName        = "net-istio-webhook-certs"
	defaultPort       = 8443
	mutatingConfig    = "webhook.istio.networking.internal.knative.dev"
	validatingConfig  = "config.webhook.istio.networking.internal.knative.dev"
	mutatingPath      = "/defaulting"
	configMapPath     = "/config-validation"
	rejectUnknownKeys = true
)

func main() {
	about.Start(program)
	ctx := webhook.WithOptions(signals.NewContext(), webhook.Options{
		ServiceName: serviceName,
		SecretName:  webhook.SecretNameFromEnv(secretName),
		Port:        webhook.PortFromEnv(defaultPort),
	})
	sharedmain.MainWithContext(ctx, program,
		certificates.NewController,
		newDeploymentLabeller,
		newConfigValidator,
	)
}

func newDeploymentLabeller(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	kinds := map[schema.GroupVersionKind]resourcesemantics.GenericCRD{
		appsv1.SchemeGroupVersion.WithKind("Deployment"): &canonical.Deployment{},
	}
	unchanged := func(ctx context.Context) context.Context { return ctx }
	return defaulting.NewAdmissionController(ctx, mutatingConfig, mutatingPath, kinds, unchanged, rejectUnknownKeys)
}

func newConfigValidator(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	return configmaps.NewAdmissionController(ctx, validatingConfig, configMapPath,
		configmap.Constructors{config.IstioName: config.NewIstio})
}
