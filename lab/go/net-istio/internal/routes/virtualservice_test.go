package routes

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	istio "istio.io/api/networking/v1alpha3"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
)

const (
	publicHost = "iris.kserve-test.example.com"
	localHost  = "iris.kserve-test.svc.cluster.local"
	external   = "knative-serving/knative-ingress-gateway"
	local      = "knative-serving/knative-local-gateway"
)

var gateways = Gateways{
	v1alpha1.IngressVisibilityExternalIP:   sets.New(external),
	v1alpha1.IngressVisibilityClusterLocal: sets.New(local),
}

func split(service string, percent int, headers map[string]string) v1alpha1.IngressBackendSplit {
	return v1alpha1.IngressBackendSplit{
		IngressBackend: v1alpha1.IngressBackend{
			ServiceName: service, ServiceNamespace: "kserve-test", ServicePort: intstr.FromInt32(80),
		},
		Percent: percent, AppendHeaders: headers,
	}
}

func revision(name string) map[string]string {
	return map[string]string{"Knative-Serving-Revision": name, "Knative-Serving-Namespace": "kserve-test"}
}

func rule(visibility v1alpha1.IngressVisibility, host string, paths ...v1alpha1.HTTPIngressPath) v1alpha1.IngressRule {
	return v1alpha1.IngressRule{
		Hosts: []string{host}, Visibility: visibility, HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: paths},
	}
}

func knativeIngress(rules ...v1alpha1.IngressRule) *v1alpha1.Ingress {
	return &v1alpha1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Name: "iris", Namespace: "kserve-test", UID: "1234",
			Labels:      map[string]string{routeLabel: "iris", routeNamespaceLabel: "kserve-test", "team": "a"},
			Annotations: map[string]string{"networking.knative.dev/ingress.class": "istio.ingress.networking.knative.dev"},
		},
		Spec: v1alpha1.IngressSpec{Rules: rules},
	}
}

// canary is what Knative Serving writes for a Service whose traffic is split 90:10.
func canary() *v1alpha1.Ingress {
	path := v1alpha1.HTTPIngressPath{
		AppendHeaders: map[string]string{"K-Common": "yes"},
		Splits: []v1alpha1.IngressBackendSplit{
			split("iris-00001", 90, revision("iris-00001")),
			split("iris-00002", 10, revision("iris-00002")),
		},
	}
	return knativeIngress(
		rule(v1alpha1.IngressVisibilityClusterLocal, localHost, path),
		rule(v1alpha1.IngressVisibilityExternalIP, publicHost, path),
	)
}

func build(t *testing.T, ing *v1alpha1.Ingress) map[string]*v1beta1.VirtualService {
	t.Helper()
	list, err := VirtualServices(ing, gateways)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*v1beta1.VirtualService{}
	for _, vs := range list {
		byName[vs.Name] = vs
	}
	return byName
}

func isProbe(route *istio.HTTPRoute) bool {
	_, ok := route.Match[0].Headers["K-Network-Hash"]
	return ok
}

func plainRoutes(vs *v1beta1.VirtualService) []*istio.HTTPRoute {
	return slices.DeleteFunc(slices.Clone(vs.Spec.Http), isProbe)
}

func TestObjectsAndTheirMetadata(t *testing.T) {
	ing := canary()
	before := ing.DeepCopy()
	byName := build(t, ing)
	if len(byName) != 2 || byName["iris-ingress"] == nil || byName["iris-mesh"] == nil {
		t.Fatalf("got %v, want iris-ingress and iris-mesh", byName)
	}
	for name, vs := range byName {
		if vs.Namespace != "kserve-test" || !metav1.IsControlledBy(vs, ing) {
			t.Errorf("%s: namespace %q, owners %v", name, vs.Namespace, vs.OwnerReferences)
		}
		want := map[string]string{"networking.internal.knative.dev/ingress": "iris", "team": "a"}
		if len(vs.Labels) != len(want) || vs.Labels["team"] != "a" || vs.Labels["networking.internal.knative.dev/ingress"] != "iris" {
			t.Errorf("%s: labels %v, want %v", name, vs.Labels, want)
		}
	}
	if h1, _ := ingress.ComputeHash(ing); h1 != must(ingress.ComputeHash(before)) {
		t.Error("the ingress itself was changed")
	}
}

func must[T any](value T, _ error) T { return value }

func TestSplitPercentagesAndHeaders(t *testing.T) {
	for _, route := range build(t, canary())["iris-ingress"].Spec.Http {
		if len(route.Route) != 2 || route.Route[0].Weight != 90 || route.Route[1].Weight != 10 {
			t.Fatalf("backends %v, want weights 90 and 10", route.Route)
		}
		for i, name := range []string{"iris-00001", "iris-00002"} {
			backend := route.Route[i]
			if want := name + ".kserve-test.svc.cluster.local"; backend.Destination.Host != want || backend.Destination.Port.Number != 80 {
				t.Errorf("destination %v, want %s:80", backend.Destination, want)
			}
			set := backend.Headers.Request.Set
			if set["Knative-Serving-Revision"] != name || set["Knative-Serving-Namespace"] != "kserve-test" {
				t.Errorf("headers of split %d: %v", i, set)
			}
		}
		if route.Headers.Request.Set["K-Common"] != "yes" {
			t.Errorf("headers of the path: %v", route.Headers)
		}
		if route.Retries == nil || route.Retries.Attempts != 0 || route.Timeout != nil {
			t.Errorf("retries %v, timeout %v: want none", route.Retries, route.Timeout)
		}
	}
}

func TestOneSplitWithoutPercentageGetsEverything(t *testing.T) {
	ing := knativeIngress(rule("", publicHost, v1alpha1.HTTPIngressPath{
		Splits: []v1alpha1.IngressBackendSplit{split("iris-00001", 0, nil)},
	}))
	vs := build(t, ing)["iris-ingress"]
	if got := vs.Spec.Http[0].Route[0].Weight; got != 100 {
		t.Errorf("weight %d, want 100", got)
	}
	if !slices.Equal(vs.Spec.Gateways, []string{external}) {
		t.Errorf("a rule without visibility is external; gateways %v", vs.Spec.Gateways)
	}
}

func TestHostsAndGateways(t *testing.T) {
	byName := build(t, canary())
	short := []string{"iris.kserve-test", "iris.kserve-test.svc", localHost}
	gatewayHosts := append([]string{publicHost}, short...)
	slices.Sort(gatewayHosts)
	slices.Sort(short)

	vs := byName["iris-ingress"]
	if !slices.Equal(vs.Spec.Hosts, gatewayHosts) || !slices.Equal(vs.Spec.Gateways, []string{external, local}) {
		t.Errorf("hosts %v on %v", vs.Spec.Hosts, vs.Spec.Gateways)
	}
	mesh := byName["iris-mesh"]
	if !slices.Equal(mesh.Spec.Hosts, short) || !slices.Equal(mesh.Spec.Gateways, []string{"mesh"}) {
		t.Errorf("mesh: hosts %v on %v", mesh.Spec.Hosts, mesh.Spec.Gateways)
	}
	for _, route := range vs.Spec.Http {
		match := route.Match[0]
		authority := match.Authority.GetPrefix()
		switch {
		case len(route.Match) != 1:
			t.Errorf("%d matches, want 1", len(route.Match))
		case authority == "iris.kserve-test" && slices.Equal(match.Gateways, []string{local}):
		case authority == publicHost && slices.Equal(match.Gateways, []string{external}):
		default:
			t.Errorf("authority %q on %v", authority, match.Gateways)
		}
	}
}

func TestClusterLocalOnly(t *testing.T) {
	ing := canary()
	ing.Spec.Rules = ing.Spec.Rules[:1]
	vs := build(t, ing)["iris-ingress"]
	if !slices.Equal(vs.Spec.Gateways, []string{local}) || slices.Contains(vs.Spec.Hosts, publicHost) {
		t.Errorf("hosts %v on %v: a cluster-local service must not be public", vs.Spec.Hosts, vs.Spec.Gateways)
	}
}

func TestNoGatewayNoVirtualService(t *testing.T) {
	list, err := VirtualServices(knativeIngress(canary().Spec.Rules[1]), Gateways{})
	if err != nil || len(list) != 0 {
		t.Errorf("got %d objects, %v: a VirtualService without gateways would apply to the whole mesh", len(list), err)
	}
}

func TestProbeRoutesComeFirstAndCarryTheHash(t *testing.T) {
	ing := canary()
	hash := must(ingress.ComputeHash(ing))
	want := hex.EncodeToString(hash[:])
	routes := build(t, ing)["iris-ingress"].Spec.Http
	if len(routes) != 4 {
		t.Fatalf("%d routes, want a probe and a plain one for each of 2 rules", len(routes))
	}
	for i, route := range routes {
		if probe := i%2 == 0; isProbe(route) != probe {
			t.Fatalf("route %d: probe %v, want %v", i, !probe, probe)
		}
		set := route.Headers.GetRequest().GetSet()
		if isProbe(route) {
			if route.Match[0].Headers["K-Network-Hash"].GetExact() != "override" || set["K-Network-Hash"] != want {
				t.Errorf("route %d: match %v, headers %v, want hash %s", i, route.Match[0].Headers, set, want)
			}
		} else if _, marked := set["K-Network-Hash"]; marked {
			t.Errorf("route %d marks ordinary requests", i)
		}
	}

	ing.Spec.Rules[0].HTTP.Paths[0].Splits[0].Percent = 91
	changed := build(t, ing)["iris-ingress"].Spec.Http[0].Headers.Request.Set["K-Network-Hash"]
	if changed == want {
		t.Error("another split must have another hash")
	}
}

func TestRewriteHost(t *testing.T) {
	ing := knativeIngress(rule(v1alpha1.IngressVisibilityExternalIP, "custom.example.org", v1alpha1.HTTPIngressPath{
		RewriteHost: localHost,
		Splits:      []v1alpha1.IngressBackendSplit{split("iris", 100, nil)},
	}))
	for _, route := range build(t, ing)["iris-ingress"].Spec.Http {
		if route.Rewrite.GetAuthority() != localHost {
			t.Errorf("rewrite %v, want authority %s", route.Rewrite, localHost)
		}
	}
	if build(t, ing)["iris-mesh"] != nil {
		t.Error("no mesh object without cluster-local hosts")
	}
}

func TestPathPrefixAndHeaderMatch(t *testing.T) {
	ing := knativeIngress(rule(v1alpha1.IngressVisibilityExternalIP, publicHost,
		v1alpha1.HTTPIngressPath{
			Path:    "/v1",
			Headers: map[string]v1alpha1.HeaderMatch{"Knative-Serving-Tag": {Exact: "blue"}},
			Splits:  []v1alpha1.IngressBackendSplit{split("blue", 100, nil)},
		},
		v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{split("green", 100, nil)}},
	))
	routes := plainRoutes(build(t, ing)["iris-ingress"])
	if len(routes) != 2 {
		t.Fatalf("%d routes, want 2", len(routes))
	}
	match := routes[0].Match[0]
	if match.Uri.GetPrefix() != "/v1" || match.Headers["Knative-Serving-Tag"].GetExact() != "blue" {
		t.Errorf("first match %v", match)
	}
	if match := routes[1].Match[0]; match.Uri != nil || len(match.Headers) != 0 {
		t.Errorf("second match %v, want everything", match)
	}
}

func TestTLSSectionIsHarmless(t *testing.T) {
	ing := canary()
	ing.Spec.TLS = []v1alpha1.IngressTLS{{Hosts: []string{publicHost}, SecretName: "cert"}}
	ing.Spec.HTTPOption = v1alpha1.HTTPOptionRedirected
	for _, route := range build(t, ing)["iris-ingress"].Spec.Http {
		if route.Redirect != nil || len(route.Route) == 0 {
			t.Error("without a TLS listener a redirect leads nowhere")
		}
	}
}

func TestInvalidIngresses(t *testing.T) {
	named := split("iris", 100, nil)
	named.ServicePort = intstr.FromString("http")
	for want, bad := range map[string]v1alpha1.IngressRule{
		"no http section": {Hosts: []string{publicHost}},
		"no backend":      rule("", publicHost, v1alpha1.HTTPIngressPath{}),
		"not a number":    rule("", publicHost, v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{named}}),
	} {
		if _, err := VirtualServices(knativeIngress(bad), gateways); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error saying %q", err, want)
		}
	}
}

func TestAuthorityPrefixes(t *testing.T) {
	got := authorityPrefixes(sets.New("b.ns.svc.cluster.local", "a.ns", "a.ns.svc.cluster.local", "a.ns.example.com", "z.example.com"))
	if want := []string{"a.ns", "b.ns", "z.example.com"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
