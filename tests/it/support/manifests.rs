//! A miniature of the upstream manifests: the same objects that the installer, its overlays and its checks name, and a few of each
//! kind that it must leave out; everything else is left away.

use std::fmt::Write as _;

use super::manifest_parts::{autoscaling, config_map, definitions, deployment, hook, namespace, rules};

/// `(component, file, text)` of every file of the default set.
pub fn files() -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("cert-manager", "cert-manager.yaml", cert_manager()),
        ("istio", "istio.yaml", istio()),
        ("knative", "serving-crds.yaml", serving_crds()),
        ("knative", "serving-core.yaml", serving_core()),
        ("net-istio", "net-istio.yaml", net_istio()),
        ("kserve", "kserve-crds.yaml", kserve_crds()),
        ("kserve", "kserve.yaml", kserve()),
        ("kserve", "kserve-cluster-resources.yaml", runtimes()),
    ]
}

/// `(group, reference)` of every image.
pub fn images() -> Vec<(&'static str, String)> {
    let mut all: Vec<(&str, String)> = IMAGES.iter().map(|(group, reference)| (*group, (*reference).to_owned())).collect();
    all.extend(KNATIVE.iter().map(|(name, digest)| ("knative", knative("serving", name, digest))));
    all.extend(NET_ISTIO.iter().map(|(name, digest)| ("net-istio", knative("net-istio", name, digest))));
    all
}

const IMAGES: [(&str, &str); 11] = [
    ("cert-manager", "quay.io/jetstack/cert-manager-controller:v1.18.0"),
    ("cert-manager", "quay.io/jetstack/cert-manager-cainjector:v1.18.0"),
    ("cert-manager", "quay.io/jetstack/cert-manager-webhook:v1.18.0"),
    ("istio", "docker.io/istio/pilot:1.27.1"),
    ("istio", "docker.io/istio/proxyv2:1.27.1"),
    ("kserve", "kserve/kserve-controller:v0.20.0"),
    ("kserve", "quay.io/brancz/kube-rbac-proxy:v0.18.0"),
    ("kserve", "kserve/agent:v0.20.0"),
    ("kserve", "kserve/router:v0.20.0"),
    ("demo", "kserve/storage-initializer:v0.20.0"),
    ("demo", "kserve/sklearnserver:v0.20.0"),
];
const KNATIVE: [(&str, &str); 5] = [
    ("activator", "3670960eaa9b6d49a20505abf4978e77e8a92c0c58cd535de6d91a76334cd418"),
    ("autoscaler", "90551cfd609daa17de97f98277e9bc570680eae758458007572e894cac4bfd0b"),
    ("controller", "5ad17245c88d06fa36c20da2f8827268eb26f892b680f0869363df36e3b2e90f"),
    ("webhook", "8e16632d68336c8455355b87620bebaca748d2f3fe7efb774becd2294ab54321"),
    ("queue", "d78bc3e92d0e91f7278ee9534394a2e74246ccb87f00cb745166e87ada56bd4f"),
];
const NET_ISTIO: [(&str, &str); 2] = [
    ("controller", "f1280364f8cf74641b796c61feb28e3cce4b9431ccc9ff97028f00c280682ddc"),
    ("webhook", "48e554607a1c367536c75f88b893515b1293e011b86648b1d7555e160521148f"),
];

fn knative(project: &str, name: &str, digest: &str) -> String {
    format!("gcr.io/knative-releases/knative.dev/{project}/cmd/{name}@sha256:{digest}")
}

fn knative_image(name: &str) -> String {
    let digest = KNATIVE.iter().find(|(known, _)| *known == name).unwrap().1;
    knative("serving", name, digest)
}

fn cert_manager() -> String {
    let mut out = format!("# A licence, and an empty document after it.\n---\n---\n{}", namespace("cert-manager"));
    out += &definitions(
        "cert-manager.io",
        "v1",
        "certificaterequests CertificateRequest, certificates Certificate, *clusterissuers ClusterIssuer, issuers Issuer",
    );
    out += &definitions("acme.cert-manager.io", "v1", "challenges Challenge, orders Order");
    out += &deployment("cert-manager", "cert-manager-cainjector", "cert-manager-cainjector", IMAGES[1].1, None, true);
    out += &deployment("cert-manager", "cert-manager", "cert-manager-controller", IMAGES[0].1, None, true);
    out += &deployment("cert-manager", "cert-manager-webhook", "cert-manager-webhook", IMAGES[2].1, Some(443), true);
    let (service, annotation) =
        (("cert-manager", "cert-manager-webhook"), "cert-manager.io/inject-ca-from-secret: cert-manager/cert-manager-webhook-ca");
    out += &hook(
        "Mutating",
        "cert-manager-webhook",
        annotation,
        "webhook.cert-manager.io",
        service,
        &rules("cert-manager.io", "v1", "certificaterequests"),
    );
    out += &hook(
        "Validating",
        "cert-manager-webhook",
        annotation,
        "webhook.cert-manager.io",
        service,
        &rules("cert-manager.io, acme.cert-manager.io", "v1", "'*/*'"),
    );
    out
}

fn istio() -> String {
    let mut out = namespace("istio-system");
    out += &definitions(
        "networking.istio.io",
        "v1beta1",
        "gateways Gateway, virtualservices VirtualService, destinationrules DestinationRule",
    );
    out += &definitions("security.istio.io", "v1beta1", "peerauthentications PeerAuthentication");
    out += &config_map(
        "istio-system",
        "istio",
        "istiod",
        "  mesh: |-\n    defaultConfig:\n      discoveryAddress: istiod.istio-system.svc:15012\n",
    );
    out += &deployment("istio-system", "istiod", "discovery", IMAGES[3].1, Some(443), false);
    out += &deployment("istio-system", "istio-ingressgateway", "istio-proxy", IMAGES[4].1, None, true);
    out += "---\napiVersion: v1\nkind: Service\nmetadata:\n  annotations: null\n  name: istio-ingressgateway\n  namespace: istio-system\nspec:\n  type: LoadBalancer\n  selector: {app: istio-ingressgateway}\n  ports:\n  - {name: status-port, port: 15021, targetPort: 15021}\n  - {name: http2, port: 80, targetPort: 8080}\n  - {name: https, port: 443, targetPort: 8443}\n";
    out += &autoscaling("istio-system", "istiod");
    let rest = "  failurePolicy: Ignore\n  objectSelector: {matchExpressions: [{key: istio.io/rev, operator: In, values: [default]}]}\n  rules:\n  - {apiGroups: [security.istio.io, networking.istio.io], apiVersions: ['*'], operations: [CREATE, UPDATE], resources: ['*']}\n";
    out += &hook("Validating", "istio-validator-istio-system", "", "rev.validation.istio.io", ("istio-system", "istiod"), rest);
    let rest = "  failurePolicy: Fail\n  objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: In, values: ['true']}]}\n  rules:\n  - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}\n";
    out += &hook("Mutating", "istio-sidecar-injector", "", "object.sidecar-injector.istio.io", ("istio-system", "istiod"), rest);
    out
}

fn serving_crds() -> String {
    definitions("serving.knative.dev", "v1", "configurations Configuration, revisions Revision, routes Route, services Service")
        + &definitions(
            "networking.internal.knative.dev",
            "v1alpha1",
            "certificates Certificate, ingresses Ingress, serverlessservices ServerlessService",
        )
        + &definitions("autoscaling.internal.knative.dev", "v1alpha1", "metrics Metric, podautoscalers PodAutoscaler")
        + &definitions("caching.internal.knative.dev", "v1alpha1", "images Image")
}

fn serving_core() -> String {
    let at = "knative-serving";
    let mut out = namespace(at) + &definitions("caching.internal.knative.dev", "v1alpha1", "images Image");
    let queue = knative_image("queue");
    write!(out, "---\napiVersion: caching.internal.knative.dev/v1alpha1\nkind: Image\nmetadata: {{name: queue-proxy, namespace: {at}}}\nspec: {{image: {queue}}}\n").unwrap();
    out += "---\napiVersion: networking.internal.knative.dev/v1alpha1\nkind: Certificate\nmetadata: {name: routing-serving-certs, namespace: knative-serving}\nspec: {dnsNames: [routing], secretName: routing-serving-certs}\n";
    let example = "  _example: |\n    # not read by anybody\n";
    for (name, component) in [
        ("autoscaler", "autoscaler"),
        ("defaults", "controller"),
        ("domain", "controller"),
        ("features", "controller"),
        ("network", "networking"),
        ("observability", "observability"),
    ] {
        out += &config_map(at, &format!("config-{name}"), component, example);
    }
    out += &config_map(at, "config-deployment", "controller", &format!("{example}  queue-sidecar-image: {queue}\n"));
    for (name, service) in [("activator", false), ("autoscaler", true), ("controller", false), ("webhook", true)] {
        out += &deployment(at, name, name, &knative_image(name), service.then_some(443), name == "autoscaler");
    }
    out += &autoscaling(at, "activator");
    out += &autoscaling(at, "webhook");
    out += "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: knative-serving-admin}\naggregationRule:\n  clusterRoleSelectors:\n  - matchLabels: {serving.knative.dev/controller: 'true'}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: webhook-certs, namespace: knative-serving}\n";
    let served = rules("serving.knative.dev, networking.internal.knative.dev", "'*'", "services, routes, certificates");
    let selector = "  failurePolicy: Fail\n  objectSelector:\n    matchExpressions:\n    - {key: app.kubernetes.io/name, operator: In, values: [knative-serving]}\n    - {key: app.kubernetes.io/component, operator: In, values: [autoscaler, controller, logging, networking, observability, tracing]}\n";
    out += &hook("Validating", "config.webhook.serving.knative.dev", "", "config.webhook.serving.knative.dev", (at, "webhook"), selector);
    out += &hook("Mutating", "webhook.serving.knative.dev", "", "webhook.serving.knative.dev", (at, "webhook"), &served);
    out += &hook(
        "Validating",
        "validation.webhook.serving.knative.dev",
        "",
        "validation.webhook.serving.knative.dev",
        (at, "webhook"),
        &served,
    );
    out
}

fn net_istio() -> String {
    let at = "knative-serving";
    let mut out = String::new();
    for gateway in ["knative-ingress-gateway", "knative-local-gateway"] {
        write!(out, "---\napiVersion: networking.istio.io/v1beta1\nkind: Gateway\nmetadata: {{name: {gateway}, namespace: {at}}}\nspec:\n  selector: {{istio: ingressgateway}}\n  servers:\n  - hosts: ['*']\n    port: {{name: http, number: 80, protocol: HTTP}}\n").unwrap();
    }
    out += "---\napiVersion: v1\nkind: Service\nmetadata: {name: knative-local-gateway, namespace: istio-system}\nspec:\n  selector: {app: istio-ingressgateway}\n  ports:\n  - {name: http2, port: 80, targetPort: 8081}\n";
    write!(out,
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-istio\n  namespace: {at}\n  labels: {{app.kubernetes.io/name: {at}, app.kubernetes.io/component: net-istio}}\ndata:\n  _example: nothing\n"
    ).unwrap();
    for name in ["webhook", "net-istio-webhook"] {
        write!(out, "---\napiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: {at}}}\nspec:\n  selector:\n    matchLabels: {{app: {name}}}\n").unwrap();
    }
    for (name, digest) in NET_ISTIO {
        out += &deployment(
            at,
            &format!("net-istio-{name}"),
            name,
            &knative("net-istio", name, digest),
            (name == "webhook").then_some(443),
            false,
        );
    }
    out += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: net-istio-webhook-certs, namespace: knative-serving}\n";
    let (service, names) = (
        (at, "net-istio-webhook"),
        ["config.webhook.istio.networking.internal.knative.dev", "webhook.istio.networking.internal.knative.dev"],
    );
    out += &hook(
        "Validating",
        names[0],
        "",
        names[0],
        service,
        "  failurePolicy: Fail\n  objectSelector:\n    matchLabels: {app.kubernetes.io/component: net-istio}\n",
    );
    out += &hook(
        "Mutating",
        names[1],
        "",
        names[1],
        service,
        "  failurePolicy: Fail\n  objectSelector:\n    matchExpressions: [{key: serving.knative.dev/configuration, operator: Exists}]\n",
    );
    out
}

fn kserve_crds() -> String {
    definitions("serving.kserve.io", "v1beta1", "inferenceservices InferenceService")
        + &definitions(
            "serving.kserve.io",
            "v1alpha1",
            "*clusterservingruntimes ClusterServingRuntime, *clusterstoragecontainers ClusterStorageContainer, servingruntimes ServingRuntime, inferencegraphs InferenceGraph, trainedmodels TrainedModel",
        )
}

fn kserve() -> String {
    let at = "kserve";
    let service = (at, "kserve-webhook-server-service");
    let mut out = kserve_crds()
        + &definitions("serving.kserve.io", "v1alpha1", "llminferenceservices LLMInferenceService, *localmodelcaches LocalModelCache");
    out += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: inferenceservice-config, namespace: kserve}\ndata:\n  _example: |\n    # not JSON\n  agent: |-\n    {\"image\": \"kserve/agent:v0.20.0\", \"cpuRequest\": \"100m\"}\n  router: |-\n    {\"image\": \"kserve/router:v0.20.0\"}\n  credentials: |-\n    {\"storageSpecSecretName\": \"storage-config\", \"s3\": {\"s3Endpoint\": \"\", \"s3Region\": \"\"}}\n  deploy: |-\n    {\n      \"defaultDeploymentMode\": \"Serverless\"\n    }\n  inferenceService: |-\n    {\"resource\": {\"cpuLimit\": \"1\", \"memoryLimit\": \"2Gi\", \"cpuRequest\": \"1\", \"memoryRequest\": \"2Gi\"}}\n  ingress: |-\n    {\"enableGatewayApi\": false, \"ingressGateway\": \"knative-serving/knative-ingress-gateway\", \"ingressDomain\": \"example.com\", \"ingressClassName\": \"istio\", \"domainTemplate\": \"{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}\", \"urlScheme\": \"http\"}\n  storageInitializer: |-\n    {\"image\": \"kserve/storage-initializer:v0.20.0\", \"memoryRequest\": \"100Mi\", \"memoryLimit\": \"1Gi\", \"cpuRequest\": \"100m\"}\n";
    out += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: kserve-webhook-server-secret, namespace: kserve}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: kserve-webhook-server-service, namespace: kserve}\nspec:\n  selector: {control-plane: kserve-controller-manager}\n  ports:\n  - {port: 443, targetPort: webhook-server}\n";
    out += "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: kserve-controller-manager, namespace: kserve}\nspec:\n  selector:\n    matchLabels: {control-plane: kserve-controller-manager}\n  template:\n    metadata:\n      labels: {control-plane: kserve-controller-manager}\n    spec:\n      containers:\n      - name: manager\n        image: kserve/kserve-controller:v0.20.0\n        imagePullPolicy: Always\n        readinessProbe: {httpGet: {path: /readyz, port: 8081}, initialDelaySeconds: 30}\n        ports:\n        - {name: webhook-server, containerPort: 9443}\n        volumeMounts:\n        - {name: cert, mountPath: /tmp/certs}\n      - name: kube-rbac-proxy\n        image: quay.io/brancz/kube-rbac-proxy:v0.18.0\n      volumes:\n      - name: cert\n        secret: {secretName: kserve-webhook-server-cert, defaultMode: 420}\n";
    out += &deployment(at, "llmisvc-controller-manager", "manager", "kserve/llmisvc-controller:v0.20.0", None, false);
    out += "---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: serving-cert, namespace: kserve}\nspec:\n  dnsNames: [kserve-webhook-server-service.kserve.svc]\n  issuerRef: {kind: Issuer, name: selfsigned-issuer}\n  secretName: kserve-webhook-server-cert\n---\napiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: selfsigned-issuer, namespace: kserve}\nspec:\n  selfSigned: {}\n";
    out += "---\napiVersion: serving.kserve.io/v1alpha1\nkind: ClusterStorageContainer\nmetadata: {name: default, namespace: kserve}\nspec:\n  container:\n    name: storage-initializer\n    image: kserve/storage-initializer:v0.20.0\n    resources: {requests: {cpu: 100m, memory: 100Mi}}\n  supportedUriFormats:\n  - {prefix: 'gs://'}\n  workloadType: initContainer\n";
    let ca = "cert-manager.io/inject-ca-from: kserve/serving-cert";
    let defaulter = rules("serving.kserve.io", "v1beta1", "inferenceservices");
    out += &hook(
        "Mutating",
        "inferenceservice.serving.kserve.io",
        ca,
        "inferenceservice.kserve-webhook-server.defaulter",
        service,
        &defaulter,
    );
    for (resource, version) in [("inferenceservice", "v1beta1"), ("clusterservingruntime", "v1alpha1"), ("servingruntime", "v1alpha1")] {
        let (name, rules) =
            (format!("{resource}.kserve-webhook-server.validator"), rules("serving.kserve.io", version, &format!("{resource}s")));
        out += &hook("Validating", &format!("{resource}.serving.kserve.io"), ca, &name, service, &rules);
    }
    out += &hook(
        "Validating",
        "llminferenceservice.serving.kserve.io",
        ca,
        "llminferenceservice.kserve-webhook-server.validator",
        service,
        &rules("serving.kserve.io", "v1alpha1", "llminferenceservices"),
    );
    out
}

fn runtimes() -> String {
    let runtime = |name: &str, format: &str, image: &str| {
        format!(
            "---\napiVersion: serving.kserve.io/v1alpha1\nkind: ClusterServingRuntime\nmetadata: {{name: {name}}}\nspec:\n  supportedModelFormats:\n  - {{name: {format}, version: '1', autoSelect: true, priority: 1}}\n  containers:\n  - name: kserve-container\n    image: {image}\n    args: ['--model_name={{{{.Name}}}}']\n"
        )
    };
    runtime("kserve-sklearnserver", "sklearn", "kserve/sklearnserver:v0.20.0")
        + &runtime("kserve-xgbserver", "xgboost", "kserve/xgbserver:v0.20.0")
        + "---\napiVersion: serving.kserve.io/v1alpha2\nkind: LLMInferenceServiceConfig\nmetadata: {name: kserve-config-llm-template, namespace: kserve}\nspec: {}\n"
}
