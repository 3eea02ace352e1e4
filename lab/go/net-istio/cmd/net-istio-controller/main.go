// net-istio-controller turns Knative Ingresses into Istio VirtualServices: the lab's stand-in for
// the image knative.dev/net-istio/cmd/controller.
package main

import (
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"

	"lab/net-istio/internal/about"
	"lab/net-istio/internal/ingress"
)

const program = "net-istio-controller"

func main() {
	about.Start(program)
	sharedmain.MainWithContext(signals.NewContext(), program, ingress.NewController)
}
