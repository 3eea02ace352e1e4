//! Pods that come with load and go without it, counted from outside.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::prove::{answers, request, unproven};
use super::wait::{Look, until};
use super::{Bench, Proven, Sample, Scaling};
use crate::error::Failure;
use crate::predict::{Load, Protocol, load};

/// How long the load goes on at most.
const LOAD: Duration = Duration::from_secs(90);
/// Knative's window, its grace of 30 s, and the end of the pods, which their proxy draws out to 45 s.
const DOWN: Duration = Duration::from_secs(180);

impl Bench<'_> {
    /// The pods of an InferenceService that are there to stay.
    pub(super) async fn pods(&self, service: &str) -> Result<Vec<Value>, Failure> {
        let mut pods = self.all_pods(service).await?;
        pods.retain(|pod| pod.pointer("/metadata/deletionTimestamp").is_none());
        Ok(pods)
    }

    /// Those on their way out too: they answer requests to their last second.
    async fn all_pods(&self, service: &str) -> Result<Vec<Value>, Failure> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        Ok(self.cluster.list(&path, &format!("serving.kserve.io/inferenceservice={service}")).await?)
    }
}

/// Load, more pods; no load, no pod; a request, a pod again.
pub(super) async fn show(bench: &Bench<'_>, sample: &Sample, scaling: &Scaling) -> Result<Vec<Proven>, Failure> {
    let request = request(bench, &sample.service, Protocol::V1, &scaling.body).await?;
    answers(bench, sample, &request, &request.path(), &scaling.expected).await?;
    let before = bench.pods(&sample.service).await?.len();
    let stop = bench.cancel.child_token();
    let loading = load(&request, Load { requests: usize::MAX, parallel: scaling.parallel, within: Some(LOAD) }, &stop);
    let watching = async {
        let (mut most, started) = (0, Instant::now());
        while most < scaling.pods && started.elapsed() < LOAD && !stop.is_cancelled() {
            let now = bench.pods(&sample.service).await?.len();
            if now > most {
                most = now;
                (bench.tell)(&format!("{now} pods under load"));
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(Duration::from_millis(500)) => {}
            }
        }
        stop.cancel();
        Ok::<_, Failure>(most)
    };
    let (loaded, most) = tokio::join!(loading, watching);
    let ((summary, _), most) = (loaded?, most?);
    if most < scaling.pods {
        return Err(unproven(
            sample,
            format!("{most} pods under a load of {} requests in flight, {} expected", scaling.parallel, scaling.pods),
        ));
    }
    let started = Instant::now();
    // A pod on its way out answered the request that was to show a cold start.
    until(bench, "the end of the last pod", DOWN, async || {
        let left = bench.all_pods(&sample.service).await?.len();
        Ok(if left == 0 { Look::Done(()) } else { Look::Yet(format!("{left} pods left, nobody asks")) })
    })
    .await?;
    let idle = started.elapsed().as_secs_f64();
    let started = Instant::now();
    answers(bench, sample, &request, &request.path(), &scaling.expected).await?;
    let cold = started.elapsed().as_secs_f64();
    let after = bench.pods(&sample.service).await?.len();
    if after == 0 {
        return Err(unproven(sample, format!("a request was answered after {cold:.1} s, and there is no pod that could have")));
    }
    Ok(vec![
        Proven::new(
            format!(
                "pods: {before} before, {most} under {} requests in flight ({} requests, {} errors)",
                scaling.parallel, summary.requests, summary.errors
            ),
            json!({"before": before, "most": most, "requests": summary.requests, "errors": summary.errors}),
        ),
        Proven::new(format!("no pod {idle:.0} s after the last request"), json!({"pods": 0, "seconds": idle})),
        Proven::new(format!("the next request is answered after {cold:.1} s; pods then: {after}"), json!({"pods": after, "seconds": cold})),
    ])
}
