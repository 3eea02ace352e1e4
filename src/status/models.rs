//! Every InferenceService: ready or why not, how its requests are split, and what Prometheus counts, where the add-on is there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};
use crate::health::{conditions, rollout};
use crate::plan::{Names, host};

const COLLECTION: &str = "/apis/serving.kserve.io/v1beta1/inferenceservices";
/// Prometheus' address behind the API server: no port of its own is opened for it.
const QUERY: &str = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query";
/// Of the parts of an InferenceService the busiest counts: a transformer and its predictor see the same requests.
const QUERIES: [&str; 3] = [
    "max by (namespace, inferenceservice) (sum by (namespace, inferenceservice, component) (kserve:requests:rate2m))",
    "max by (namespace, inferenceservice) (kserve:latency_seconds:p95_2m)",
    // Without a single error there is no series of errors.
    "max by (namespace, inferenceservice) ((sum by (namespace, inferenceservice, component) (kserve:errors:rate2m) \
     or 0 * sum by (namespace, inferenceservice, component) (kserve:requests:rate2m)) \
     / sum by (namespace, inferenceservice, component) (kserve:requests:rate2m))",
];
const ALERTS: &str = "ALERTS{alertstate=\"firing\"}";

/// The models of a cluster.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Models {
    /// By namespace and name.
    pub models: Vec<Model>,
    /// Did Prometheus answer? `None`: the add-on was not asked for.
    pub counted: Option<bool>,
    /// Alerts that fire, one sentence each.
    pub alerts: Vec<String>,
    /// Why the models are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// An InferenceService.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Condition Ready.
    pub ready: bool,
    /// Why not.
    pub why: Option<String>,
    /// The Host header that leads to it.
    pub host: String,
    /// Revisions of its predictor that get requests; empty without Knative.
    pub traffic: Vec<Share>,
    /// Requests a second, over two minutes.
    pub requests: Option<f64>,
    /// Seconds that 95 % of the requests need at most.
    pub p95: Option<f64>,
    /// Part of the requests that end with a server error, 0 to 1.
    pub errors: Option<f64>,
}

/// A revision and what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Name.
    pub revision: String,
    /// Percent of the requests.
    pub percent: u64,
}

/// Asks for every InferenceService and, where `counted`, for what Prometheus knows of them.
pub async fn models(cluster: &Cluster, names: Names<'_>, counted: bool) -> Models {
    let figures = async {
        if !counted {
            return None;
        }
        let asked = join_all(QUERIES.iter().chain([&ALERTS]).map(|query| ask(cluster, query))).await;
        Some(asked.into_iter().collect::<Result<Vec<_>, _>>())
    };
    let (listed, figures) = tokio::join!(cluster.list(COLLECTION, ""), figures);
    let mut all = Models { counted: figures.as_ref().map(Result::is_ok), ..Models::default() };
    match listed {
        Ok(listed) => all.models = listed.iter().map(|object| model(object, names)).collect(),
        Err(error) => all.trouble = Some(error.to_string()),
    }
    all.models.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    if let Some(Ok(figures)) = figures {
        let [requests, p95, errors] = [0, 1, 2].map(|query| by_model(figures.get(query).map(Vec::as_slice).unwrap_or_default()));
        for model in &mut all.models {
            let key = (model.namespace.clone(), model.name.clone());
            (model.requests, model.p95, model.errors) = (requests.get(&key).copied(), p95.get(&key).copied(), errors.get(&key).copied());
        }
        all.alerts = figures.get(3).into_iter().flatten().map(alert).collect();
        all.alerts.sort();
    }
    all
}

/// The result of an instant query.
async fn ask(cluster: &Cluster, query: &str) -> Result<Vec<Value>, ClusterError> {
    let mut encoded = String::new();
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    let mut answer = cluster.get(&format!("{QUERY}?query={encoded}")).await?;
    Ok(match answer.pointer_mut("/data/result").map(Value::take) {
        Some(Value::Array(result)) => result,
        _ => Vec::new(),
    })
}

fn by_model(result: &[Value]) -> BTreeMap<(String, String), f64> {
    let text = |sample: &Value, label: &str| sample.pointer(&format!("/metric/{label}")).and_then(Value::as_str).map(str::to_owned);
    let read = |sample: &Value| {
        // 0/0, where nobody asks, is no ratio.
        let value: f64 = sample.pointer("/value/1")?.as_str()?.parse().ok().filter(|value: &f64| value.is_finite())?;
        Some(((text(sample, "namespace")?, text(sample, "inferenceservice")?), value))
    };
    result.iter().filter_map(read).collect()
}

fn alert(sample: &Value) -> String {
    let text = |label: &str| sample.pointer(&format!("/metric/{label}")).and_then(Value::as_str).unwrap_or_default();
    format!("alert {}: {}/{}", text("alertname"), text("namespace"), text("inferenceservice"))
}

fn model(object: &Value, names: Names<'_>) -> Model {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let ready = rollout::condition(object, "Ready").is_some_and(|(status, _)| status == "True");
    // The storage initializer's whole log can stand there; its last line is the reason.
    let why = conditions(object).and_then(|verdict| verdict.saw()?.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned));
    let shares = object.pointer("/status/components/predictor/traffic").and_then(Value::as_array);
    let share = |one: &Value| {
        let percent = one.get("percent")?.as_u64().filter(|percent| *percent > 0)?;
        Some(Share { revision: one.get("revisionName")?.as_str()?.to_owned(), percent })
    };
    Model {
        host: host(Some(object), names, &namespace, &name),
        ready,
        why: if ready { None } else { why.or_else(|| Some("it has not reported yet".to_owned())) },
        traffic: shares.into_iter().flatten().filter_map(share).collect(),
        namespace,
        name,
        requests: None,
        p95: None,
        errors: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canary_shows_both_revisions_and_a_failing_model_its_reason() {
        let object = json!({"metadata": {"namespace": "a", "name": "m"}, "status": {
            "conditions": [{"type": "PredictorReady", "status": "False", "message": "no such bucket"}, {"type": "Ready", "status": "False"}],
            "components": {"predictor": {"traffic": [{"revisionName": "m-1", "percent": 80}, {"revisionName": "m-2", "percent": 20, "tag": "prev"},
                {"revisionName": "m-0", "percent": 0}]}}}});
        let model = model(&object, Names { profile: "serverless", domain: "example.com", entry: Names::entry_of(false) });
        assert_eq!(
            model.traffic.iter().map(|share| (share.revision.as_str(), share.percent)).collect::<Vec<_>>(),
            [("m-1", 80), ("m-2", 20)]
        );
        assert!(!model.ready && model.why.unwrap().contains("no such bucket"));
    }

    #[test]
    fn a_ratio_of_nothing_is_no_figure() {
        let sample = |name: &str, value: &str| json!({"metric": {"namespace": "a", "inferenceservice": name}, "value": [1, value]});
        let read = by_model(&[sample("m", "0.25"), sample("idle", "NaN"), json!({"metric": {}, "value": [1, "1"]})]);
        assert_eq!(read, BTreeMap::from([(("a".to_owned(), "m".to_owned()), 0.25)]));
    }
}
