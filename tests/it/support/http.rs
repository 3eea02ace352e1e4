//! From an HTTP request to [`routes`] and back, with the scripted faults on the way.

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, FromRequestParts as _, Request, State, WebSocketUpgrade},
    http::{HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use super::{
    api_server::ApiServer,
    cut::Cut,
    faults::{FaultKind, Logged, take},
    portforward, ports,
    routes::{self, Call},
    spdy,
    status::Refusal,
    wire::pairs,
};

/// Serves every request.
pub async fn serve(State(server): State<ApiServer>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let cut = parts.extensions.get::<ConnectInfo<Cut>>().map(|info| info.0.clone()).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (content_type, accept, user_agent, upgrade) = (header("content-type"), header("accept"), header("user-agent"), header("upgrade"));
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    if !server.check_alive() {
        cut.now();
        return StatusCode::OK.into_response();
    }
    let query_pairs = pairs(&query);
    let index = {
        let mut world = server.world();
        world.log.push(Logged::new(&method, &path, &query, &content_type, &body));
        world.log.len() - 1
    };
    let fault = take(&mut server.world().faults, &method, &format!("{path}?{query}"));
    match &fault {
        Some(FaultKind::Hang) => return std::future::pending().await,
        Some(FaultKind::Close) => {
            cut.now();
            return StatusCode::OK.into_response();
        }
        Some(FaultKind::ClientGone) => {
            ports::given_up(&mut server.world(), &method, &body);
            cut.now();
            return StatusCode::OK.into_response();
        }
        Some(FaultKind::Answer(code, value)) => return finish(&server, index, *code, value.to_string(), true),
        Some(FaultKind::Status(code)) => {
            let refusal = Refusal::scripted(*code);
            return finish(&server, index, *code, refusal.status.unwrap_or_default().to_string(), true);
        }
        _ => {}
    }
    if upgrade.eq_ignore_ascii_case("websocket") {
        let port = query_pairs.get("ports").or(query_pairs.get("port")).and_then(|port| port.parse().ok()).unwrap_or(0);
        if let Some(refused) = refuse_forward(&server, &path) {
            return finish(&server, index, refused.0, refused.1, true);
        }
        let to = server.forward_target(pod_of(&path), port).await;
        server.world().log[index].code = 101;
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgrade.protocols(["v4.channel.k8s.io"]).on_upgrade(move |socket| portforward::bridge(socket, port, to)),
            Err(rejection) => rejection.into_response(),
        };
    }
    if upgrade.eq_ignore_ascii_case("spdy/3.1") && path.ends_with("/portforward") {
        if server.speaks_websockets_only() {
            return finish(&server, index, 400, "unknown protocol".to_owned(), false);
        }
        if let Some(refused) = refuse_forward(&server, &path) {
            return finish(&server, index, refused.0, refused.1, true);
        }
        server.world().log[index].code = 101;
        return spdy::upgrade(&server, &mut parts, path.trim_end_matches("/portforward"));
    }
    let call = Call {
        method: &method,
        path: &path,
        query: query_pairs,
        content_type: &content_type,
        accept: &accept,
        user_agent: &user_agent,
        body: &body,
    };
    let (code, text, json) = {
        let mut world = server.world();
        let before = world.revision;
        let answer = routes::answer(&mut world, &call);
        let changed = method != "GET" && world.revision != before;
        if let Some(logged) = world.log.get_mut(index) {
            logged.changed = changed;
        }
        match answer {
            Ok((code, Value::String(text))) => (code, text, false),
            Ok((code, value)) => (code, value.to_string(), true),
            Err(refusal) => match refusal.status {
                Some(status) => (refusal.code, status.to_string(), true),
                None => (refusal.code, "404 page not found\n".to_owned(), false),
            },
        }
    };
    server.sync_gateway().await;
    let response = finish(&server, index, code, text.clone(), json);
    match fault {
        Some(kind @ (FaultKind::SlowBody(_) | FaultKind::CutBody)) => in_two_halves(response, &text, kind, cut),
        _ => response,
    }
}

/// Half of the body, then a pause and the rest, or the end of the connection.
fn in_two_halves(mut response: Response, text: &str, kind: FaultKind, cut: Cut) -> Response {
    let (first, rest) = text.split_at(text.len() / 2);
    let (first, rest) = (Bytes::from(first.to_owned()), Bytes::from(rest.to_owned()));
    let stream = futures_util::stream::unfold(0, move |step| {
        let (first, rest, kind, cut) = (first.clone(), rest.clone(), kind.clone(), cut.clone());
        async move {
            match (step, kind) {
                (0, _) => Some((Ok::<_, std::io::Error>(first), 1)),
                (1, FaultKind::SlowBody(pause)) => {
                    tokio::time::sleep(pause).await;
                    Some((Ok(rest), 2))
                }
                (1, _) => {
                    cut.now();
                    Some((Err(std::io::ErrorKind::ConnectionReset.into()), 2))
                }
                _ => None,
            }
        }
    });
    *response.body_mut() = Body::from_stream(stream);
    response
}

fn finish(server: &ApiServer, index: usize, code: u16, text: String, json: bool) -> Response {
    if let Some(logged) = server.world().log.get_mut(index) {
        logged.code = code;
    }
    let content_type = if json { "application/json" } else { "text/plain; charset=utf-8" };
    let mut response = (StatusCode::from_u16(code).unwrap(), [("content-type", content_type)], text).into_response();
    if code == 429 {
        response.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
    }
    response
}

/// The pod that a path is about.
fn pod_of(path: &str) -> &str {
    path.trim_end_matches("/portforward").rsplit('/').next().unwrap_or_default()
}

/// Why a port-forward cannot begin: code and body.
fn refuse_forward(server: &ApiServer, path: &str) -> Option<(u16, String)> {
    let pod = path.trim_end_matches("/portforward");
    let (code, message) = match server.get(pod) {
        None => (404, format!("pods \"{}\" not found", pod.rsplit('/').next().unwrap_or_default())),
        Some(found) if found["status"]["phase"] != "Running" => (
            500,
            format!(
                "unable to forward port because pod is not running. Current status={}",
                found["status"]["phase"].as_str().unwrap_or_default()
            ),
        ),
        Some(_) => return None,
    };
    let reason = if code == 404 { "NotFound" } else { "InternalError" };
    Some((code, Refusal::new(code, reason, message, Value::Null).status.unwrap_or_default().to_string()))
}
