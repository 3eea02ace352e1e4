//! HTTPS at the gateway: the names of its certificate, and what it changes in other components' objects.

use serde_json::json;

use super::build::GATEWAY_NODE_PORT;
use super::{Plan, PlannedComponent};
use crate::catalog::{CatalogError, Object, patch, patch_text};
use crate::config::Scheme;

/// Namespace and name of the gateway's Certificate, and of the Secret that cert-manager makes of it.
pub const CERTIFICATE: (&str, &str) = ("istio-system", "quickstart-gateway");
/// The node port of the Service's http2 port while kind's mapping leads to its https port: those two change places.
const OTHER_NODE_PORT: u16 = 31443;

/// Nothing where the gateway speaks HTTP.
pub(super) fn put(plan: &Plan, component: &PlannedComponent, objects: &mut [Object]) -> Result<(), CatalogError> {
    if plan.scheme().is_http() {
        return Ok(());
    }
    let of = |kind: &'static str, name: &'static str| move |object: &&mut Object| object.gvk.kind == kind && object.name == name;
    match component.name.as_str() {
        "istio" if plan.is_local() => {
            let ports = json!([{"name": "http2", "nodePort": OTHER_NODE_PORT}, {"name": "https", "nodePort": GATEWAY_NODE_PORT}]);
            let mut services = objects.iter_mut().filter(of("Service", "istio-ingressgateway"));
            services.try_for_each(|service| patch(service, &json!({"spec": {"ports": ports}})))
        }
        "kserve" => {
            let mut maps = objects.iter_mut().filter(of("ConfigMap", "inferenceservice-config"));
            maps.try_for_each(|map| patch_text(map, "/data/ingress", &json!({"urlScheme": Scheme::Https})))
        }
        Scheme::ADDON => {
            let mut certificates = objects.iter_mut().filter(of("Certificate", CERTIFICATE.1));
            certificates.try_for_each(|certificate| patch(certificate, &json!({"spec": {"dnsNames": names(plan)}})))
        }
        _ => Ok(()),
    }
}

/// A wildcard stands for one label: `NAME-NAMESPACE.DOMAIN` without Knative, and with it `NAME.NAMESPACE.DOMAIN` of one namespace.
fn names(plan: &Plan) -> [String; 3] {
    let domain = plan.serving.domain();
    [format!("*.{domain}"), format!("*.{}.{domain}", plan.serving.namespace()), "localhost".to_owned()]
}
