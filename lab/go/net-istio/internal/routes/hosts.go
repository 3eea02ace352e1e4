package routes

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/network"
)

// localSuffix is what every cluster-local host ends with: .svc.DOMAIN.
func localSuffix() string { return ".svc." + network.GetClusterDomainName() }

func allHosts(ing *v1alpha1.Ingress) sets.Set[string] {
	hosts := sets.New[string]()
	for _, rule := range ing.Spec.Rules {
		hosts.Insert(rule.Hosts...)
	}
	return hosts
}

func clusterLocal(hosts sets.Set[string]) sets.Set[string] {
	local := sets.New[string]()
	for host := range hosts {
		if strings.HasSuffix(host, localSuffix()) {
			local.Insert(host)
		}
	}
	return local
}

// authorityPrefixes returns the sorted prefixes that match the hosts with or without a port. A cluster-local host is
// cut down to name.namespace, which matches its longer forms too. A host that another prefix covers is left out,
// since Istio multiplies the matches of a route.
func authorityPrefixes(hosts sets.Set[string]) []string {
	candidates := sets.New[string]()
	for host := range hosts {
		candidates.Insert(strings.TrimSuffix(host, localSuffix()))
	}
	var kept []string
	for _, candidate := range sets.List(candidates) { // Sorted: a prefix comes before what it covers.
		if len(kept) == 0 || !strings.HasPrefix(candidate, kept[len(kept)-1]) {
			kept = append(kept, candidate)
		}
	}
	return kept
}
