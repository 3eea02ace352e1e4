package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	istiolisters "istio.io/client-go/pkg/listers/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	corelisters "k8s.io/client-go/listers/core/v1"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
	"knative.dev/networking/pkg/status"

	"lab/net-istio/internal/config"
	"lab/net-istio/internal/routes"
)

// errNoGatewayPods says that a Gateway that should serve the Ingress has no ready pod to ask.
var errNoGatewayPods = errors.New("no ready gateway pods")

// targetLister finds the gateway pods that must know a route before its Ingress is ready.
type targetLister struct {
	gateways  istiolisters.GatewayLister
	services  corelisters.ServiceLister
	endpoints corelisters.EndpointsLister
}

var _ status.ProbeTargetLister = (*targetLister)(nil)

// gatewaysFor returns the configured Gateways of each visibility for this Ingress.
func gatewaysFor(cfg *config.Istio, ing *v1alpha1.Ingress) map[v1alpha1.IngressVisibility][]config.Gateway {
	return map[v1alpha1.IngressVisibility][]config.Gateway{
		v1alpha1.IngressVisibilityExternalIP:   config.Select(cfg.External, ing.Labels),
		v1alpha1.IngressVisibilityClusterLocal: config.Select(cfg.Local, ing.Labels),
	}
}

func gatewayKeys(byVisibility map[v1alpha1.IngressVisibility][]config.Gateway) routes.Gateways {
	keys := routes.Gateways{}
	for visibility, gateways := range byVisibility {
		keys[visibility] = sets.New[string]()
		for _, g := range gateways {
			keys[visibility].Insert(g.Key())
		}
	}
	return keys
}

// ListProbeTargets returns, for each Gateway with hosts of this Ingress, its ready pods with one URL to ask them for.
// One host is enough: all hosts are in one VirtualService, which Envoy gets as a whole.
// A Gateway that cannot be asked is an error, never silently taken as ready.
func (l *targetLister) ListProbeTargets(ctx context.Context, ing *v1alpha1.Ingress) ([]status.ProbeTarget, error) {
	byVisibility := gatewaysFor(config.FromContext(ctx).Istio, ing)
	hosts := ingress.HostsPerVisibility(ing, gatewayKeys(byVisibility))

	var targets []status.ProbeTarget
	seen := sets.New[string]()
	for _, gateways := range byVisibility {
		for _, g := range gateways {
			gatewayHosts := hosts[g.Key()]
			if gatewayHosts.Len() == 0 || seen.Has(g.Key()) {
				continue
			}
			seen.Insert(g.Key())
			found, err := l.gatewayTargets(g, sets.List(gatewayHosts)[0])
			if apierrors.IsNotFound(err) {
				err = fmt.Errorf("%w: %w", errNoGatewayPods, err)
			}
			if err != nil {
				return nil, fmt.Errorf("gateway %s: %w", g.Key(), err)
			}
			targets = append(targets, found...)
		}
	}
	return targets, nil
}

func (l *targetLister) gatewayTargets(g config.Gateway, host string) ([]status.ProbeTarget, error) {
	gateway, err := l.gateways.Gateways(g.Namespace).Get(g.Name)
	if err != nil {
		return nil, err
	}
	name, err := g.ServiceName()
	if err != nil {
		return nil, err
	}
	service, err := l.services.Services(name.Namespace).Get(name.Name)
	if err != nil {
		return nil, err
	}
	endpoints, err := l.endpoints.Endpoints(name.Namespace).Get(name.Name)
	if err != nil {
		return nil, err
	}

	var targets []status.ProbeTarget
	for _, server := range gateway.Spec.GetServers() {
		protocol := server.GetPort().GetProtocol()
		if (protocol != "HTTP" && protocol != "HTTP2") || server.GetTls().GetHttpsRedirect() {
			continue
		}
		number := int32(server.GetPort().GetNumber())
		for _, subset := range endpoints.Subsets {
			podPort := podPort(service, subset, number)
			if podPort == 0 || len(subset.Addresses) == 0 {
				continue
			}
			ips := sets.New[string]()
			for _, address := range subset.Addresses {
				ips.Insert(address.IP)
			}
			port := strconv.Itoa(int(number))
			targets = append(targets, status.ProbeTarget{
				PodIPs:  ips,
				PodPort: strconv.Itoa(int(podPort)),
				Port:    port,
				URLs:    []*url.URL{{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/"}},
			})
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%w: service %s, plain HTTP", errNoGatewayPods, name)
	}
	return targets, nil
}

// podPort finds where the pods listen for a Gateway's port number: behind the Service port of that number
// (80 → 8080 at the ingress gateway), or at that number itself (8081 at the local gateway); 0 if neither.
func podPort(service *corev1.Service, subset corev1.EndpointSubset, number int32) int32 {
	for _, servicePort := range service.Spec.Ports {
		if servicePort.Port != number {
			continue
		}
		for _, port := range subset.Ports {
			if port.Name == servicePort.Name {
				return port.Port
			}
		}
	}
	for _, port := range subset.Ports {
		if port.Port == number {
			return port.Port
		}
	}
	return 0
}
