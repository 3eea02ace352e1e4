// Package routes says which Istio VirtualServices a Knative Ingress stands for. It is pure: no cluster, no clock.
package routes

import (
	"context"
	"errors"
	"fmt"
	"maps"

	istio "istio.io/api/networking/v1alpha3"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
	"knative.dev/pkg/kmeta"
	"knative.dev/pkg/network"
)

const (
	// meshGateway is Istio's reserved name for the sidecars of the mesh.
	meshGateway = "mesh"

	// Labels of Knative Serving that do not go on to the VirtualServices.
	routeLabel          = "serving.knative.dev/route"
	routeNamespaceLabel = "serving.knative.dev/routeNamespace"
)

// Gateways are the names (NAMESPACE/NAME) of the Istio Gateways that serve rules of each visibility.
type Gateways map[v1alpha1.IngressVisibility]sets.Set[string]

// VirtualServices returns the objects for an Ingress: NAME-mesh for the sidecars, where there are cluster-local hosts,
// and NAME-ingress for the Gateways. Each path appears twice, first for the readiness probe: a request that carries
// the header K-Network-Hash: override is marked with the hash of this very Ingress.
// The Ingress itself is not changed. Rules without HTTP or with a backend port that is not a number are errors.
func VirtualServices(ing *v1alpha1.Ingress, gateways Gateways) ([]*v1beta1.VirtualService, error) {
	if err := check(ing); err != nil {
		return nil, err
	}
	ing = ing.DeepCopy()
	ing.SetDefaults(context.Background())
	if _, err := ingress.InsertProbe(ing); err != nil {
		return nil, fmt.Errorf("inserting the readiness probe: %w", err)
	}

	hosts := allHosts(ing)
	var out []*v1beta1.VirtualService
	if local := clusterLocal(hosts); local.Len() > 0 {
		mesh := sets.New(meshGateway)
		out = appendRouted(out, virtualService(ing, "-mesh", local, Gateways{
			v1alpha1.IngressVisibilityExternalIP:   mesh,
			v1alpha1.IngressVisibilityClusterLocal: mesh,
		}))
	}
	return appendRouted(out, virtualService(ing, "-ingress", hosts, gateways)), nil
}

// appendRouted leaves out a VirtualService without routes: without Gateways Istio would apply it to the whole mesh.
func appendRouted(list []*v1beta1.VirtualService, vs *v1beta1.VirtualService) []*v1beta1.VirtualService {
	if len(vs.Spec.Http) == 0 {
		return list
	}
	return append(list, vs)
}

func check(ing *v1alpha1.Ingress) error {
	for i, rule := range ing.Spec.Rules {
		if rule.HTTP == nil {
			return fmt.Errorf("rule %d has no http section", i)
		}
		for j, path := range rule.HTTP.Paths {
			if len(path.Splits) == 0 {
				return fmt.Errorf("rule %d, path %d has no backend", i, j)
			}
			for _, split := range path.Splits {
				if split.ServicePort.IntValue() <= 0 {
					return fmt.Errorf("rule %d, path %d: port %q of service %s/%s is not a number",
						i, j, split.ServicePort.String(), split.ServiceNamespace, split.ServiceName)
				}
			}
		}
	}
	if ing.Name == "" {
		return errors.New("the ingress has no name")
	}
	return nil
}

func virtualService(ing *v1alpha1.Ingress, suffix string, hosts sets.Set[string], gateways Gateways) *v1beta1.VirtualService {
	labels := maps.Clone(ing.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, routeLabel)
	delete(labels, routeNamespaceLabel)
	labels[networking.IngressLabelKey] = ing.Name
	annotations := maps.Clone(ing.Annotations)
	delete(annotations, corev1.LastAppliedConfigAnnotation)

	vs := &v1beta1.VirtualService{ObjectMeta: metav1.ObjectMeta{
		Name:            kmeta.ChildName(ing.Name, suffix),
		Namespace:       ing.Namespace,
		Labels:          labels,
		Annotations:     annotations,
		OwnerReferences: []metav1.OwnerReference{*kmeta.NewControllerRef(ing)},
	}}

	used := sets.New[string]()
	for _, rule := range ing.Spec.Rules {
		ruleHosts := hosts.Intersection(sets.New(rule.Hosts...))
		ruleGateways := gateways[rule.Visibility]
		if ruleHosts.Len() == 0 || ruleGateways.Len() == 0 {
			continue
		}
		for i := range rule.HTTP.Paths {
			vs.Spec.Http = append(vs.Spec.Http, httpRoute(&rule.HTTP.Paths[i], authorityPrefixes(ruleHosts), sets.List(ruleGateways)))
			used = used.Union(ruleGateways)
		}
	}
	vs.Spec.Hosts = sets.List(ingress.ExpandedHosts(hosts))
	vs.Spec.Gateways = sets.List(used)
	return vs
}

func httpRoute(path *v1alpha1.HTTPIngressPath, authorities, gateways []string) *istio.HTTPRoute {
	route := &istio.HTTPRoute{
		Retries: &istio.HTTPRetry{}, // Zero attempts; nil would mean Istio's default of two.
		Headers: setHeaders(path.AppendHeaders),
	}
	for _, authority := range authorities {
		match := &istio.HTTPMatchRequest{
			Gateways:  gateways,
			Authority: prefix(authority),
		}
		if path.Path != "" {
			match.Uri = prefix(path.Path)
		}
		for name, value := range path.Headers {
			if match.Headers == nil {
				match.Headers = map[string]*istio.StringMatch{}
			}
			match.Headers[name] = &istio.StringMatch{MatchType: &istio.StringMatch_Exact{Exact: value.Exact}}
		}
		route.Match = append(route.Match, match)
	}
	for _, split := range path.Splits {
		route.Route = append(route.Route, &istio.HTTPRouteDestination{
			Destination: &istio.Destination{
				Host: network.GetServiceHostname(split.ServiceName, split.ServiceNamespace),
				Port: &istio.PortSelector{Number: uint32(split.ServicePort.IntValue())},
			},
			Weight:  int32(split.Percent),
			Headers: setHeaders(split.AppendHeaders),
		})
	}
	if path.RewriteHost != "" {
		route.Rewrite = &istio.HTTPRewrite{Authority: path.RewriteHost}
	}
	return route
}

func prefix(value string) *istio.StringMatch {
	return &istio.StringMatch{MatchType: &istio.StringMatch_Prefix{Prefix: value}}
}

func setHeaders(headers map[string]string) *istio.Headers {
	if len(headers) == 0 {
		return nil
	}
	return &istio.Headers{Request: &istio.Headers_HeaderOperations{Set: maps.Clone(headers)}}
}
