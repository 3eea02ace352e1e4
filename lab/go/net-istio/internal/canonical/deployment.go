// Package canonical gives the Deployments of Knative Revisions Istio's canonical service labels,
// by which Istio's telemetry groups them.
package canonical

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
)

const (
	// Istio's labels.
	serviceLabel  = "service.istio.io/canonical-name"
	revisionLabel = "service.istio.io/canonical-revision"

	// Knative Serving's labels on a Revision's Deployment.
	knativeService       = "serving.knative.dev/service"
	knativeConfiguration = "serving.knative.dev/configuration"
	knativeRevision      = "serving.knative.dev/revision"
)

// Deployment is a Deployment that can be defaulted by the admission webhook.
type Deployment struct {
	appsv1.Deployment `json:",inline"`
}

var (
	_ apis.Defaultable = (*Deployment)(nil)
	_ apis.Validatable = (*Deployment)(nil)
)

// SetDefaults adds the canonical labels to the Deployment and to its pods.
// The service is the Knative Service, or the Configuration where there is no Service.
func (d *Deployment) SetDefaults(context.Context) {
	service := d.Labels[knativeService]
	if service == "" {
		service = d.Labels[knativeConfiguration]
	}
	d.label(serviceLabel, service)
	d.label(revisionLabel, d.Labels[knativeRevision])
}

func (d *Deployment) label(key, value string) {
	if value == "" {
		return
	}
	if d.Spec.Template.Labels == nil {
		d.Spec.Template.Labels = map[string]string{}
	}
	d.Labels[key] = value
	d.Spec.Template.Labels[key] = value
}

// Validate accepts everything: this webhook only adds labels.
func (d *Deployment) Validate(context.Context) *apis.FieldError { return nil }

// DeepCopyObject copies the Deployment together with its wrapper.
func (d *Deployment) DeepCopyObject() runtime.Object {
	out := &Deployment{}
	d.Deployment.DeepCopyInto(&out.Deployment)
	return out
}
