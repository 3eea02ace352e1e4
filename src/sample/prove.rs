//! Showing what a sample promises, with the values that were seen.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::wait::{Look, until};
use super::{Bench, PodProof, Proof, Sample, SampleError, Split, canary, scale};
use crate::error::Failure;
use crate::gateway::Caller;
use crate::plan::host;
use crate::predict::{Load, Protocol, Request, load, said};

/// Right after Ready the gateway may still say 404 for a moment.
const ROUTED: Duration = Duration::from_secs(60);

/// One thing that was shown.
#[derive(Clone, Debug, Serialize)]
pub struct Proven {
    /// In words.
    pub what: String,
    /// The values.
    pub saw: Value,
}

impl Proven {
    pub(super) fn new(what: impl Into<String>, saw: Value) -> Self {
        Self { what: what.into(), saw }
    }
}

/// Applies a sample and shows all that it promises.
pub async fn prove(bench: &Bench<'_>, sample: &Sample) -> Result<Vec<Proven>, Failure> {
    if let [Proof::Diagnosis { id, exit }] = sample.proof.as_slice() {
        return diagnosis(bench, sample, id, *exit).await;
    }
    let applied = bench.apply(sample).await?;
    let seconds = applied.took.as_secs_f64();
    let mut proven = vec![Proven::new(format!("{} is ready after {seconds:.1} s", sample.service), json!({"seconds": seconds}))];
    for proof in &sample.proof {
        match proof {
            Proof::Prediction { protocol, path, body, expected } => {
                let request = request(bench, &sample.service, protocol.unwrap_or(Protocol::V1), body).await?;
                let path = path.clone().unwrap_or_else(|| request.path());
                let saw = answers(bench, sample, &request, &path, expected).await?;
                let verb = if request.protocol == Protocol::Grpc { "gRPC" } else { "POST" };
                proven.push(Proven::new(format!("{verb} {path} answers {saw}"), saw));
            }
            Proof::Pod(wanted) => proven.push(pod(bench, sample, wanted).await?),
            Proof::Canary(split) => proven.extend(share(bench, sample, split).await?),
            Proof::Scaling(scaling) => proven.extend(scale::show(bench, sample, scaling).await?),
            Proof::Diagnosis { .. } => {}
        }
    }
    Ok(proven)
}

/// A request to the service under the host that it says it has.
pub(super) async fn request(bench: &Bench<'_>, service: &str, protocol: Protocol, body: &Value) -> Result<Request, Failure> {
    let mut live = None;
    for kind in ["v1beta1/namespaces/{}/inferenceservices", "v1alpha1/namespaces/{}/inferencegraphs"] {
        let path = format!("/apis/serving.kserve.io/{}/{service}", kind.replace("{}", &bench.namespace));
        live = live.or(bench.cluster.find(&path).await?);
    }
    let host = host(live.as_ref(), bench.names, &bench.namespace, service);
    Ok(Request { name: service.to_owned(), host, port: bench.port, authority: bench.authority.clone(), protocol, body: body.clone() })
}

/// Asks until the gateway knows the way; what the model then says counts.
pub(super) async fn answers(bench: &Bench<'_>, sample: &Sample, request: &Request, path: &str, expected: &Value) -> Result<Value, Failure> {
    let (caller, ask) = (Caller::new(request.authority.as_ref())?, request.ask(path.to_owned())?);
    let answer = until(bench, "an answer through the gateway", ROUTED, async || {
        Ok(match ask.send(&caller).await {
            Ok(answer) => Look::Done(answer),
            Err(error) if error.may_pass() => Look::Yet(format!("{} is not routed yet", request.host)),
            Err(error) => return Err(error.into()),
        })
    })
    .await?;
    let saw = said(&answer).clone();
    if saw == *expected { Ok(saw) } else { Err(unproven(sample, format!("it answered {saw} instead of {expected}"))) }
}

pub(super) fn unproven(sample: &Sample, saw: impl Into<String>) -> Failure {
    SampleError::Unproven { name: sample.name.clone(), saw: saw.into() }.into()
}

async fn diagnosis(bench: &Bench<'_>, sample: &Sample, id: &str, exit: u8) -> Result<Vec<Proven>, Failure> {
    match bench.apply(sample).await {
        Err(failure) if failure.id == id && failure.exit.code() == exit => {
            let what = format!("the failure is named {id}, exit code {exit}: {}", failure.cause.as_deref().unwrap_or_default());
            Ok(vec![Proven::new(what, json!({"id": id, "exit": exit}))])
        }
        Err(failure) if failure.id == "INTERRUPTED" => Err(failure),
        Err(failure) => {
            Err(unproven(sample, format!("the failure is named {}, exit code {}, instead of {id}", failure.id, failure.exit.code())))
        }
        Ok(_) => Err(unproven(sample, format!("it got ready instead of failing with {id}"))),
    }
}

async fn pod(bench: &Bench<'_>, sample: &Sample, wanted: &PodProof) -> Result<Proven, Failure> {
    let pods = bench.pods(&sample.service).await?;
    let pod = pods.first().ok_or_else(|| unproven(sample, "it has no pod"))?;
    // Knative keeps what is for its autoscaler on the revision, and off the pod.
    let revisions = format!("/apis/serving.knative.dev/v1/namespaces/{}/revisions", bench.namespace);
    let revisions = bench.cluster.list(&revisions, &format!("serving.kserve.io/inferenceservice={}", sample.service)).await?;
    let revision = revisions.last().ok_or_else(|| unproven(sample, "it has no revision"))?;
    for (key, value) in &wanted.annotations {
        let has = revision.pointer("/metadata/annotations").and_then(|all| all.get(key)).and_then(Value::as_str);
        if has != Some(value) {
            return Err(unproven(sample, format!("its revision's annotation {key} is {} instead of {value}", has.unwrap_or("missing"))));
        }
    }
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let model = containers.into_iter().find(|container| container.get("name") == Some(&json!("kserve-container")));
    let has = model.and_then(|container| container.get("resources")).cloned().unwrap_or_default();
    if has != wanted.resources {
        return Err(unproven(sample, format!("its container has {has} instead of {}", wanted.resources)));
    }
    Ok(Proven::new(format!("its pod has {has}, its revision the {} annotations of the autoscaler", wanted.annotations.len()), has))
}

async fn share(bench: &Bench<'_>, sample: &Sample, split: &Split) -> Result<Vec<Proven>, Failure> {
    let request = request(bench, &sample.service, Protocol::V1, &split.body).await?;
    let traffic = canary::routed(bench, &sample.service, i64::from(split.percent)).await?;
    let ask = async |requests: usize| {
        let (summary, failed) = load(&request, Load { requests, parallel: 2, within: None }, bench.cancel).await?;
        match failed {
            Some(error) => Err(Failure::from(error)),
            None => Ok(summary),
        }
    };
    // The routes of the gateway follow the status by a moment: the first answer of the new revision says that they are there.
    until(bench, "an answer of the new revision", ROUTED, async || {
        let seen = ask(20).await?.count(&split.after);
        Ok(if seen > 0 { Look::Done(()) } else { Look::Yet("the gateway does not split yet".into()) })
    })
    .await?;
    let measured = ask(split.requests).await?;
    let (before, after) = (measured.count(&split.before), measured.count(&split.after));
    #[expect(clippy::cast_precision_loss, reason = "some hundred requests")]
    let percent = 100.0 * after as f64 / measured.requests.max(1) as f64;
    let away = (percent - f64::from(split.percent)).abs();
    if before + after != measured.requests || away > f64::from(split.tolerance) {
        return Err(unproven(
            sample,
            format!("{after} of {} requests went to the new revision ({percent:.1} %), {before} to the one before", measured.requests),
        ));
    }
    let mut proven = vec![Proven::new(
        format!("told {traffic}; measured {percent:.1} % of {} requests", measured.requests),
        json!({"told": split.percent, "measured": percent, "requests": measured.requests, "tolerance": split.tolerance}),
    )];
    for (verb, wanted) in [("rollback", &split.before), ("promote", &split.after)] {
        let traffic = if verb == "promote" {
            canary::promote(bench, &sample.service).await?
        } else {
            canary::rollback(bench, &sample.service).await?
        };
        let all = until(bench, &format!("the routes after {verb}"), ROUTED, async || {
            let seen = ask(50).await?;
            let count = seen.count(wanted);
            Ok(if count == seen.requests {
                Look::Done(count)
            } else {
                Look::Yet(format!("{count} of {} answers are {wanted}", seen.requests))
            })
        })
        .await?;
        proven.push(Proven::new(
            format!("after {verb}: {traffic}; {all} of {all} answers are {wanted}"),
            json!({"verb": verb, "answers": all}),
        ));
    }
    Ok(proven)
}
