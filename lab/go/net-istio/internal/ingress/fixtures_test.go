package ingress

import (
	"context"
	"net"
	"strconv"
	"testing"

	istio "istio.io/api/networking/v1alpha3"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	istiolisters "istio.io/client-go/pkg/listers/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"

	"lab/net-istio/internal/config"
)

const (
	publicHost = "iris.kserve-test.example.com"
	localHost  = "iris.kserve-test.svc.cluster.local"
)

// inContext is what the controller finds in the context with an empty config-istio.
func inContext(t *testing.T) context.Context {
	t.Helper()
	t.Setenv("SYSTEM_NAMESPACE", "knative-serving")
	istioConfig, err := config.NewIstio(&corev1.ConfigMap{})
	if err != nil {
		t.Fatal(err)
	}
	return config.WithConfig(t.Context(), &config.Config{Istio: istioConfig})
}

func knativeIngress() *v1alpha1.Ingress {
	http := &v1alpha1.HTTPIngressRuleValue{Paths: []v1alpha1.HTTPIngressPath{{
		Splits: []v1alpha1.IngressBackendSplit{{
			IngressBackend: v1alpha1.IngressBackend{ServiceName: "iris-00001", ServiceNamespace: "kserve-test", ServicePort: intstr.FromInt32(80)},
			Percent:        100,
		}},
	}}}
	return &v1alpha1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "iris", Namespace: "kserve-test", UID: "1234", Generation: 1},
		Spec: v1alpha1.IngressSpec{Rules: []v1alpha1.IngressRule{
			{Hosts: []string{localHost}, Visibility: v1alpha1.IngressVisibilityClusterLocal, HTTP: http},
			{Hosts: []string{publicHost}, Visibility: v1alpha1.IngressVisibilityExternalIP, HTTP: http.DeepCopy()},
		}},
	}
}

func newIndexer(t *testing.T, objects ...any) cache.Indexer {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, object := range objects {
		if err := indexer.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	return indexer
}

func gateway(name string, port uint32) *v1beta1.Gateway {
	g := &v1beta1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "knative-serving"}}
	g.Spec.Servers = []*istio.Server{
		{Port: &istio.Port{Name: "http", Number: port, Protocol: "HTTP"}, Hosts: []string{"*"}},
		{Port: &istio.Port{Name: "https", Number: 443, Protocol: "HTTPS"}, Hosts: []string{"*"}},
	}
	return g
}

func service(name string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "istio-system"},
		Spec:       corev1.ServiceSpec{Ports: ports},
	}
}

func endpoints(name, ip string, ports ...corev1.EndpointPort) *corev1.Endpoints { //nolint:staticcheck // as in controller.go
	e := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "istio-system"}} //nolint:staticcheck // as above
	subset := corev1.EndpointSubset{Ports: ports}                                                //nolint:staticcheck // as above
	if ip != "" {
		subset.Addresses = []corev1.EndpointAddress{{IP: ip}} //nolint:staticcheck // as above
	}
	e.Subsets = []corev1.EndpointSubset{subset} //nolint:staticcheck // as above
	return e
}

// cluster is a targetLister for the Gateways and Services of net-istio.yaml, with the gateway pods at ip.
func cluster(t *testing.T, ip string, publicPort, localPort int32) *targetLister {
	t.Helper()
	return &targetLister{
		gateways: istiolisters.NewGatewayLister(newIndexer(t,
			gateway("knative-ingress-gateway", 80), gateway("knative-local-gateway", uint32(localPort)))),
		services: corelisters.NewServiceLister(newIndexer(t,
			service("istio-ingressgateway", corev1.ServicePort{Name: "status", Port: 15021}, corev1.ServicePort{Name: "http2", Port: 80}),
			service("knative-local-gateway", corev1.ServicePort{Name: "http2", Port: 80}))),
		endpoints: corelisters.NewEndpointsLister(newIndexer(t,
			endpoints("istio-ingressgateway", ip, corev1.EndpointPort{Name: "status", Port: 15021}, corev1.EndpointPort{Name: "http2", Port: publicPort}),
			endpoints("knative-local-gateway", ip, corev1.EndpointPort{Name: "http2", Port: localPort}))),
	}
}

func hostPort(t *testing.T, address string) (string, int32) {
	t.Helper()
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return host, int32(port)
}
