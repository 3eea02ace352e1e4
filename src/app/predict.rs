//! `predict`.

use serde_json::Value;

use super::{session, trust};
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::{self, Predict, PredictOutput};
use crate::config::ClusterPaths;
use crate::error::{Exit, Failure};
use crate::forward::{self, Alive, Service};
use crate::health::interrupted;
use crate::plan::host;
use crate::predict::{self, Load, Protocol, Request, body};
use crate::report::{document, load_text, values};
use crate::state::State;

pub(super) async fn run(app: &App, arguments: &Predict) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let port = way_in(&state, &paths)?;
    let namespace = arguments.namespace.as_deref().unwrap_or_else(|| state.namespace());
    let path = format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{}", arguments.service);
    let (cluster, _) = session::access(app, &state, &paths).await?;
    let live = cluster.find(&path).await?.ok_or_else(|| {
        Failure::new("ISVC_MISSING", Exit::NotRunning, format!("there is no InferenceService {namespace}/{}", arguments.service))
            .hint("`kubectl get inferenceservices -A` lists them")
    })?;
    let host = host(Some(&live), state.names(), namespace, &arguments.service);
    let protocol = match arguments.protocol {
        cli::Protocol::V1 => Protocol::V1,
        cli::Protocol::V2 => Protocol::V2,
        cli::Protocol::Grpc => Protocol::Grpc,
    };
    let authority = trust::authority(&cluster, state.scheme(), &paths).await?;
    let request =
        Request { name: arguments.service.clone(), host, port, authority, protocol, body: body(&input(arguments).await?, protocol) };
    if arguments.output == PredictOutput::Curl {
        app.data(&request.line()?)?;
        return Ok(Exit::Ok);
    }
    if let Some(requests) = arguments.repeat {
        return repeat(app, arguments, &request, requests).await;
    }
    let answer = request.send().await?;
    app.data(&if arguments.output == PredictOutput::Json { answer.to_string() } else { values(&answer) })?;
    Ok(Exit::Ok)
}

/// The port of localhost that leads to the gateway: mapped, or a tunnel's.
pub(super) fn way_in(state: &State, paths: &ClusterPaths) -> Result<u16, Failure> {
    let ingress = Service::ingress_of(state.network(), state.scheme()).to_string();
    let tunnel = || forward::list(paths).into_iter().find(|tunnel| tunnel.service == ingress);
    let tunnel = || tunnel().filter(|tunnel| tunnel.state == Alive::Running).map(|tunnel| tunnel.record.port);
    state.port.or_else(tunnel).ok_or_else(|| {
        Failure::new("NO_INGRESS", Exit::Prerequisite, "this cluster has no port on localhost")
            .hint("`quickstart forward start` opens one, and prints a curl line")
    })
}

/// The same request many times. What failed is told after the sum, which scripts want also then.
async fn repeat(app: &App, arguments: &Predict, request: &Request, requests: u32) -> Result<Exit, Failure> {
    let load = Load { requests: requests as usize, parallel: usize::from(arguments.parallel), within: None };
    let (summary, failed) = predict::load(request, load, &app.cancel).await?;
    if arguments.output == PredictOutput::Json {
        app.data(&document(&summary)?)?;
    } else {
        app.data(load_text(&summary).trim_end())?;
    }
    if app.cancel.is_cancelled() {
        return Err(interrupted().cause(format!("{} of {requests} requests were made", summary.requests)));
    }
    match failed {
        None => Ok(Exit::Ok),
        Some(error) => {
            let failure = Failure::from(error);
            let what = format!("{} of {} predictions failed", summary.errors, summary.requests);
            let cause = failure.cause.clone().unwrap_or(failure.what);
            Err(Failure { what, cause: Some(cause), ..failure })
        }
    }
}

/// The request's body: the demo's two rows where no file is named; `-` is standard input.
async fn input(arguments: &Predict) -> Result<Value, Failure> {
    let invalid =
        |place: &str, message: String| Failure::new("USAGE", Exit::Usage, format!("{place} cannot be used as input")).cause(message);
    let (place, text) = match &arguments.input {
        None => ("the demo's input".to_owned(), embedded::SAMPLE_INPUT.to_owned()),
        Some(path) if path.as_os_str() == "-" => {
            let text = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await;
            let text = text
                .map_err(|error| Failure::internal(error.to_string()))?
                .map_err(|error| invalid("standard input", error.to_string()))?;
            ("standard input".to_owned(), text)
        }
        Some(path) => {
            let place = path.display().to_string();
            let text = fs_err::tokio::read_to_string(path).await.map_err(|error| invalid(&place, error.to_string()))?;
            (place, text)
        }
    };
    serde_json::from_str(&text)
        .map_err(|error| invalid(&place, error.to_string()).hint("JSON such as {\"instances\": [[6.8, 2.8, 4.8, 1.4]]}"))
}
