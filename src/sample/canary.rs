//! Two revisions of a model: which share each gets, and the decision between them.

use std::time::Duration;

use serde_json::{Value, json};

use super::wait::{Look, until};
use super::{Bench, SampleError};
use crate::error::Failure;

/// Bound on a change of the routes.
const ROUTED: Duration = Duration::from_secs(90);

/// Who gets what, as Knative says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The newest revision's share, in percent.
    pub latest: i64,
    /// That of all others.
    pub others: i64,
}

impl std::fmt::Display for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} % for the new revision, {} % for the one before", self.latest, self.others)
    }
}

/// The traffic of an InferenceService, as its status says.
pub fn traffic(live: &Value) -> Traffic {
    let newest = live.pointer("/status/components/predictor/latestCreatedRevision").and_then(Value::as_str);
    let targets = live.pointer("/status/components/predictor/traffic").and_then(Value::as_array);
    targets.into_iter().flatten().fold(Traffic::default(), |mut sum, target| {
        let percent = target.get("percent").and_then(Value::as_i64).unwrap_or_default();
        let revision = target.get("revisionName").and_then(Value::as_str);
        *if revision.is_some() && revision == newest { &mut sum.latest } else { &mut sum.others } += percent;
        sum
    })
}

/// Gives all requests to the new revision; answers the traffic.
pub async fn promote(bench: &Bench<'_>, service: &str) -> Result<Traffic, Failure> {
    decide(bench, service, &Value::Null, 100).await
}

/// Gives all requests back to the revision before; the new one stays without any, and is what a later `promote` would take.
pub async fn rollback(bench: &Bench<'_>, service: &str) -> Result<Traffic, Failure> {
    decide(bench, service, &json!(0), 0).await
}

async fn decide(bench: &Bench<'_>, service: &str, percent: &Value, latest: i64) -> Result<Traffic, Failure> {
    let path = path(bench, service);
    let live = bench.cluster.find(&path).await?.ok_or_else(|| {
        let what = format!("there is no InferenceService {}/{service}", bench.namespace);
        Failure::new("ISVC_MISSING", crate::error::Exit::NotRunning, what).hint("`kubectl get inferenceservices -A` lists them")
    })?;
    if live.pointer("/spec/predictor/canaryTrafficPercent").is_none_or(Value::is_null) {
        return Err(SampleError::NoCanary(format!("{}/{service}", bench.namespace)).into());
    }
    bench.cluster.merge(&path, &json!({"spec": {"predictor": {"canaryTrafficPercent": percent}}})).await?;
    routed(bench, service, latest).await
}

/// Waits until the new revision has this share.
pub(super) async fn routed(bench: &Bench<'_>, service: &str, latest: i64) -> Result<Traffic, Failure> {
    let path = path(bench, service);
    until(bench, &format!("a share of {latest} % for the new revision"), ROUTED.min(bench.timeout), async || {
        let live = bench.cluster.get(&path).await?;
        let traffic = traffic(&live);
        Ok(if traffic.latest == latest && traffic.latest + traffic.others == 100 {
            Look::Done(traffic)
        } else {
            Look::Yet(traffic.to_string())
        })
    })
    .await
}

fn path(bench: &Bench<'_>, service: &str) -> String {
    format!("/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices/{service}", bench.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_apart_by_the_newest_revision() {
        let live =
            |traffic: Value| json!({"status": {"components": {"predictor": {"latestCreatedRevision": "m-00002", "traffic": traffic}}}});
        let split = json!([{"revisionName": "m-00001", "percent": 80, "tag": "prev"}, {"revisionName": "m-00002", "percent": 20, "latestRevision": true}]);
        assert_eq!(traffic(&live(split)), Traffic { latest: 20, others: 80 });
        assert_eq!(traffic(&live(json!([{"revisionName": "m-00001", "percent": 100}]))), Traffic { latest: 0, others: 100 });
        assert_eq!(traffic(&json!({})), Traffic::default());
    }
}
