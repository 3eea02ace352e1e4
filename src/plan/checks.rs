//! The checks of each component: its Deployments, and webhooks that must be seen refusing what they must refuse.

use serde_json::{Value, json};

use super::{CERTIFICATE, Check, PlannedComponent, Probe};
use crate::config::Scheme;

const MINUTES: u64 = 60;

/// A Deployment is rolled out.
pub(super) fn rollout(component: &str, namespace: &str, name: &str) -> Check {
    Check {
        id: format!("{component}/rollout/{name}"),
        probe: Probe::Rollout { namespace: namespace.to_owned(), name: name.to_owned() },
        hint: format!("kubectl -n {namespace} describe deployment {name}"),
        deadline: 5 * MINUTES,
    }
}

/// What else an add-on must show: a Deployment that is Available does not yet serve the API that it registers.
pub fn addon(component: &str) -> Vec<Check> {
    let there = |names: &[&str]| Check {
        id: format!("{component}/present"),
        probe: Probe::Present { paths: names.iter().map(|name| (*name).to_owned()).collect() },
        hint: "`quickstart up` applies them again".into(),
        deadline: MINUTES,
    };
    match component {
        "metrics-server" => vec![Check {
            id: "metrics-server/api".into(),
            probe: Probe::Condition {
                path: "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io".into(),
                condition: "Available".into(),
            },
            hint: "kubectl describe apiservice v1beta1.metrics.k8s.io".into(),
            deadline: 2 * MINUTES,
        }],
        "hardening" => vec![there(&[
            "/apis/networking.k8s.io/v1/namespaces/models/networkpolicies/default-deny",
            "/apis/networking.k8s.io/v1/namespaces/models/networkpolicies/inference",
            "/apis/rbac.authorization.k8s.io/v1/namespaces/models/rolebindings/serving-team",
            "/api/v1/namespaces/models/resourcequotas/models",
        ])],
        Scheme::ADDON => vec![Check {
            id: "https/certificate".into(),
            probe: Probe::Secret { namespace: CERTIFICATE.0.into(), name: CERTIFICATE.1.into(), key: "ca.crt".into() },
            hint: format!("kubectl -n {} describe certificate {}", CERTIFICATE.0, CERTIFICATE.1),
            deadline: 2 * MINUTES,
        }],
        "local-storage" => vec![there(&["/apis/storage.k8s.io/v1/storageclasses/local-path"])],
        _ => Vec::new(),
    }
}

/// Webhooks of a component that guard objects applied after it. A Deployment that is Available is a second or more too early:
/// its webhook may not answer yet, or with a certificate that the API server does not know (cert-manager#2908, #6721, kserve#4182).
pub(super) fn webhooks(component: &PlannedComponent) -> Vec<Check> {
    let name = component.name.as_str();
    let denied = |what: &str, by: &str, object: Value| Check {
        id: format!("{}/webhook/{what}", component.name),
        probe: Probe::Denied { object, by: by.to_owned() },
        hint: format!("`quickstart status` names the pod that serves webhook {by}, and why it does not"),
        deadline: 2 * MINUTES,
    };
    let mut checks = match name {
        "cert-manager" => vec![denied(
            "issuers",
            "webhook.cert-manager.io",
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "quickstart-probe", "namespace": "default"}, "spec": {}}),
        )],
        "knative" => vec![
            denied(
                "services",
                "validation.webhook.serving.knative.dev",
                json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "quickstart-probe", "namespace": "default"},
                       "spec": {"template": {"spec": {"containers": []}}}}),
            ),
            denied(
                "configuration",
                "config.webhook.serving.knative.dev",
                json!({"apiVersion": "v1", "kind": "ConfigMap",
                       "metadata": {"name": "config-autoscaler", "namespace": "knative-serving",
                                    "labels": {"app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/component": "autoscaler"}},
                       "data": {"max-scale-limit": "not-a-number"}}),
            ),
        ],
        "net-istio" => vec![denied(
            "configuration",
            "config.webhook.istio.networking.internal.knative.dev",
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                   "metadata": {"name": "config-istio", "namespace": "knative-serving",
                                "labels": {"app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/component": "net-istio",
                                           "networking.knative.dev/ingress-provider": "istio"}},
                   "data": {"external-gateways": "- name: [not a gateway"}}),
        )],
        // Two workers are always refused. (One model format at two priorities is refused only beside another runtime, so before the
        // first runtime is there that question was never answered: seen on the real cluster.)
        "kserve" => vec![
            denied(
                "inferenceservices",
                "inferenceservice.kserve-webhook-server.validator",
                json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "0-quickstart-probe", "namespace": "default"},
                       "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://none"}}}}),
            ),
            denied(
                "runtimes",
                "clusterservingruntime.kserve-webhook-server.validator",
                json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime", "metadata": {"name": "quickstart-probe"},
                       "spec": {"containers": [{"name": "kserve-container", "image": "quickstart.invalid/probe:1"}],
                                "workerSpec": {"containers": [{"name": "one", "image": "quickstart.invalid/probe:1"},
                                                              {"name": "two", "image": "quickstart.invalid/probe:1"}]}}}),
            ),
        ],
        _ => Vec::new(),
    };
    // A workerSpec came with 0.15, and a webhook for runtimes with 0.11: the other question is answered by the same server.
    if name == "kserve" && component.is_before(0, 15) {
        checks.truncate(1);
    }
    checks
}
