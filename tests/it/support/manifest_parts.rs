//! Pieces of the miniature manifests.

use std::fmt::Write as _;

/// A definition for each `plural Kind`; with `*` before the plural it is cluster-scoped. InferenceService's is large, as it really is.
pub fn definitions(group: &str, version: &str, pairs: &str) -> String {
    let mut out = String::new();
    for pair in pairs.split(", ") {
        let (plural, kind) = pair.split_once(' ').unwrap();
        let scope = if plural.starts_with('*') { "Cluster" } else { "Namespaced" };
        let plural = plural.trim_start_matches('*');
        let singular = kind.to_lowercase();
        let open = "type: object, x-kubernetes-preserve-unknown-fields: true";
        let schema = match kind {
            "InferenceService" => format!("{open}, properties: {{spec: {{{open}, description: {}}}}}", "a".repeat(110_000)),
            _ => open.to_owned(),
        };
        write!(
            out,
            "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {plural}.{group}\nspec:\n  group: {group}\n  names: {{kind: {kind}, listKind: {kind}List, plural: {plural}, singular: {singular}}}\n  scope: {scope}\n  versions:\n  - name: {version}\n    served: true\n    storage: true\n    subresources: {{status: {{}}}}\n    schema:\n      openAPIV3Schema: {{{schema}}}\n"
        )
        .unwrap();
    }
    out
}

/// A Deployment with one container, its Service where a port is given, its ServiceAccount and RBAC.
pub fn deployment(namespace: &str, name: &str, container: &str, image: &str, port: Option<u16>, replicas: bool) -> String {
    let replicas = if replicas { "  replicas: 1\n" } else { "" };
    let mut out = format!(
        "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules:\n- {{apiGroups: [\"\"], resources: [configmaps], verbs: [get]}}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\nsubjects:\n- {{kind: ServiceAccount, name: {name}, namespace: {namespace}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels: {{app: {name}}}\nspec:\n{replicas}  selector:\n    matchLabels: {{app: {name}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      serviceAccountName: {name}\n      containers:\n      - name: {container}\n        image: {image}\n        resources:\n          requests: {{cpu: 300m, memory: 100Mi}}\n        readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 10}}\n"
    );
    if let Some(port) = port {
        write!(out, "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  selector: {{app: {name}}}\n  ports:\n  - {{name: https, port: {port}, targetPort: 8443}}\n").unwrap();
    }
    out
}

/// A Namespace.
pub fn namespace(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n")
}

/// A webhook configuration with one hook; `rest` are further lines of the hook, indented by two.
pub fn hook(kind: &str, name: &str, annotation: &str, hook: &str, service: (&str, &str), rest: &str) -> String {
    let (namespace, service) = service;
    let annotations = if annotation.is_empty() { String::new() } else { format!("  annotations:\n    {annotation}\n") };
    format!(
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: {kind}WebhookConfiguration\nmetadata:\n  creationTimestamp: null\n  name: {name}\n{annotations}webhooks:\n- name: {hook}\n  admissionReviewVersions: [v1]\n  clientConfig:\n    service: {{name: {service}, namespace: {namespace}, path: /hook}}\n  sideEffects: None\n{rest}"
    )
}

/// `failurePolicy: Fail` and one rule, as lines for [`hook`].
pub fn rules(group: &str, versions: &str, resources: &str) -> String {
    format!(
        "  failurePolicy: Fail\n  rules:\n  - {{apiGroups: [{group}], apiVersions: [{versions}], operations: [CREATE, UPDATE], resources: [{resources}]}}\n"
    )
}

/// What a laptop needs neither of, and what the overlays drop.
pub fn autoscaling(namespace: &str, name: &str) -> String {
    format!(
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  maxReplicas: 5\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  minAvailable: 80%\n  selector:\n    matchLabels: {{app: {name}}}\n"
    )
}

/// A ConfigMap; `data` are its lines, indented by two.
pub fn config_map(namespace: &str, name: &str, component: &str, data: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels: {{app.kubernetes.io/name: {namespace}, app.kubernetes.io/component: {component}}}\ndata:\n{data}"
    )
}
