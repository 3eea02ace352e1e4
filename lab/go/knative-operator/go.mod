module lab/knative-operator

go 1.26

// Only for the manifests that it carries: nothing of it is built, and `go mod tidy` would take it out.
require knative.dev/operator v0.42.2
