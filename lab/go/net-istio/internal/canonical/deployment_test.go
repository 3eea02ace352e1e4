package canonical

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCanonicalLabels(t *testing.T) {
	d := &Deployment{Deployment: appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{
		knativeConfiguration: "configuration", knativeRevision: "iris-00001",
	}}}}
	copied := d.DeepCopyObject().(*Deployment)
	d.SetDefaults(context.Background())
	for _, labels := range []map[string]string{d.Labels, d.Spec.Template.Labels} {
		if labels[serviceLabel] != "configuration" || labels[revisionLabel] != "iris-00001" {
			t.Errorf("labels %v", labels)
		}
	}
	if len(copied.Labels) != 2 {
		t.Errorf("the copy shares the labels: %v", copied.Labels)
	}
	d.Labels[knativeService] = "iris"
	d.SetDefaults(context.Background())
	if d.Spec.Template.Labels[serviceLabel] != "iris" {
		t.Error("the service's name goes before the configuration's")
	}
}

func TestOtherDeploymentsAreLeftAlone(t *testing.T) {
	d := &Deployment{}
	d.SetDefaults(context.Background())
	if len(d.Labels) != 0 || len(d.Spec.Template.Labels) != 0 {
		t.Errorf("labels %v, %v", d.Labels, d.Spec.Template.Labels)
	}
}
