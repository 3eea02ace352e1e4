//! The address of the gateway's Service.

use serde_json::Value;

use super::check::CheckResult;
use super::webhooks::text;
use crate::config::{Network, Scheme};
use crate::forward::Service;
use crate::gateway::balanced;

/// Where the Service is.
pub(super) fn service(network: Network) -> String {
    let Service { namespace, name, .. } = Service::ingress_of(network, Scheme::Http);
    format!("/api/v1/namespaces/{namespace}/services/{name}")
}

/// `ours`: a kind cluster of ours, whose gateway kind maps to a port of localhost. No check where there is no Service.
pub(super) fn address(service: Option<&Value>, ours: bool, port: Option<u16>) -> Option<CheckResult> {
    let (id, title) = ("gateway-address", "the gateway can be reached from outside");
    let service = service?;
    let kind = text(service, "/spec/type");
    let mapped = port.map_or_else(|| "it has no port on localhost".to_owned(), |port| format!("127.0.0.1:{port} leads to it"));
    if kind != "LoadBalancer" {
        return Some(CheckResult::ok(id, title, format!("a {kind} Service, {mapped}")));
    }
    if let Some(address) = balanced(service) {
        return Some(CheckResult::ok(id, title, address));
    }
    if ours {
        return Some(CheckResult::ok(id, title, format!("no external address, which is normal on kind: {mapped}")));
    }
    let hint = "a LoadBalancer must be provided (MetalLB, the cloud's own); until then `quickstart forward run` leads to it";
    Some(CheckResult::warning(id, title, "its external address is pending", hint).named("GATEWAY_PENDING").settling())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_pending_address_is_normal_on_kind_only() {
        let pending = json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}});
        let ours = address(Some(&pending), true, Some(8080)).unwrap();
        assert_eq!(ours.result, Outcome::Ok);
        assert!(ours.saw.contains("normal on kind") && ours.saw.contains("127.0.0.1:8080"), "{ours:?}");
        let elsewhere = address(Some(&pending), false, None).unwrap();
        assert_eq!((elsewhere.result, elsewhere.error_id.as_deref()), (Outcome::Warning, Some("GATEWAY_PENDING")));
    }

    #[test]
    fn an_address_and_a_node_port_are_fine() {
        let given = json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}});
        assert_eq!(address(Some(&given), false, None).unwrap().saw, "lb.example");
        assert_eq!(address(Some(&json!({"spec": {"type": "NodePort"}})), true, Some(1)).unwrap().result, Outcome::Ok);
        assert_eq!(address(None, true, None), None);
    }
}
