// Package config reads the ConfigMaps that steer the controller: config-istio and config-network.
package config

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"knative.dev/pkg/network"
	"knative.dev/pkg/system"
	"sigs.k8s.io/yaml"
)

// IstioName is the name of the ConfigMap that says which Istio Gateways to use.
const IstioName = "config-istio"

const (
	externalKey       = "external-gateways"
	localKey          = "local-gateways"
	oldExternalPrefix = "gateway."
	oldLocalPrefix    = "local-gateway."
)

// Gateway is one Istio Gateway and the Kubernetes Service in front of its pods.
type Gateway struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Service is the host name of the Service: NAME.NAMESPACE.svc.DOMAIN.
	Service string `json:"service"`
	// LabelSelector restricts the Gateway to Ingresses with matching labels; nil makes it the default one.
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
}

// Key is the Gateway as VirtualServices name it: NAMESPACE/NAME.
func (g Gateway) Key() string { return g.Namespace + "/" + g.Name }

// ServiceName splits the Service's host name into its namespace and name.
func (g Gateway) ServiceName() (types.NamespacedName, error) {
	parts := strings.SplitN(g.Service, ".", 3)
	if len(parts) < 3 || parts[0] == "" || parts[1] == "" {
		return types.NamespacedName{}, fmt.Errorf("gateway %s: service %q is not of the form name.namespace.svc.domain", g.Key(), g.Service)
	}
	return types.NamespacedName{Namespace: parts[1], Name: parts[0]}, nil
}

func (g Gateway) validate() error {
	switch {
	case g.Name == "":
		return errors.New("missing name")
	case g.Namespace == "":
		return errors.New("missing namespace")
	case g.Service == "":
		return errors.New("missing service")
	}
	if problems := validation.IsDNS1123Subdomain(strings.TrimSuffix(g.Service, ".")); len(problems) > 0 {
		return fmt.Errorf("service %q: %s", g.Service, strings.Join(problems, "; "))
	}
	if _, err := metav1.LabelSelectorAsSelector(g.LabelSelector); err != nil {
		return fmt.Errorf("labelSelector: %w", err)
	}
	return nil
}

// Istio is the content of config-istio.
type Istio struct {
	External []Gateway
	Local    []Gateway
}

// NewIstio parses config-istio; what is not configured falls back to the Gateways of net-istio.yaml.
// It is also what the validating webhook runs.
func NewIstio(cm *corev1.ConfigMap) (*Istio, error) {
	if isNewFormat(cm) && isOldFormat(cm) {
		return nil, fmt.Errorf("%s: %q or %q cannot be used together with keys starting with %q or %q",
			IstioName, externalKey, localKey, oldExternalPrefix, oldLocalPrefix)
	}
	external, err := parse(cm, externalKey, oldExternalPrefix, defaultExternal())
	if err != nil {
		return nil, err
	}
	local, err := parse(cm, localKey, oldLocalPrefix, defaultLocal())
	if err != nil {
		return nil, err
	}
	return &Istio{External: external, Local: local}, nil
}

func parse(cm *corev1.ConfigMap, key, oldPrefix string, fallback Gateway) ([]Gateway, error) {
	var gateways []Gateway
	if text, ok := cm.Data[key]; ok {
		if err := yaml.Unmarshal([]byte(text), &gateways); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", IstioName, key, err)
		}
	} else {
		gateways = parseOld(cm, oldPrefix)
	}
	if len(gateways) == 0 {
		gateways = []Gateway{fallback}
	}
	defaults := 0
	for _, g := range gateways {
		if err := g.validate(); err != nil {
			return nil, fmt.Errorf("%s: invalid gateway %q under %s: %w", IstioName, g.Key(), key, err)
		}
		if g.LabelSelector == nil {
			defaults++
		}
	}
	if _, newFormat := cm.Data[key]; newFormat && defaults != 1 {
		return nil, fmt.Errorf("%s: %s: exactly one gateway must have no labelSelector, found %d", IstioName, key, defaults)
	}
	return gateways, nil
}

// parseOld reads keys of the form PREFIX[NAMESPACE.]NAME whose value is the Service's host name.
func parseOld(cm *corev1.ConfigMap, prefix string) []Gateway {
	var gateways []Gateway
	for key, service := range cm.Data {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || rest == "" {
			continue
		}
		namespace, name, qualified := strings.Cut(rest, ".")
		if !qualified {
			namespace, name = system.Namespace(), rest
		}
		gateways = append(gateways, Gateway{Namespace: namespace, Name: name, Service: service})
	}
	sort.Slice(gateways, func(i, j int) bool { return gateways[i].Key() < gateways[j].Key() })
	return gateways
}

func isNewFormat(cm *corev1.ConfigMap) bool {
	_, external := cm.Data[externalKey]
	_, local := cm.Data[localKey]
	return external || local
}

func isOldFormat(cm *corev1.ConfigMap) bool {
	for key := range cm.Data {
		if strings.HasPrefix(key, oldExternalPrefix) || strings.HasPrefix(key, oldLocalPrefix) {
			return true
		}
	}
	return false
}

func defaultExternal() Gateway {
	return Gateway{
		Name: "knative-ingress-gateway", Namespace: system.Namespace(),
		Service: network.GetServiceHostname("istio-ingressgateway", "istio-system"),
	}
}

func defaultLocal() Gateway {
	return Gateway{
		Name: "knative-local-gateway", Namespace: system.Namespace(),
		Service: network.GetServiceHostname("knative-local-gateway", "istio-system"),
	}
}

// Select picks the Gateways for an object with these labels: those whose selector matches,
// or else those without a selector.
func Select(gateways []Gateway, objectLabels map[string]string) []Gateway {
	var matching, unrestricted []Gateway
	for _, g := range gateways {
		if g.LabelSelector == nil {
			unrestricted = append(unrestricted, g)
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(g.LabelSelector)
		if err == nil && selector.Matches(labels.Set(objectLabels)) {
			matching = append(matching, g)
		}
	}
	if len(matching) > 0 {
		return matching
	}
	return unrestricted
}
