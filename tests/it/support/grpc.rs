//! The gRPC side of the fake gateway: HTTP/2 without an upgrade, one method, and Envoy's own way to say no to gRPC.
//!
//! The messages are written once more here, with the fields that a scikit-learn model sees and answers.

use std::{convert::Infallible, future::Future};

use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
    header::{HeaderMap, HeaderValue},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::wire::Got;

/// The one method.
pub const METHOD: &str = "/inference.GRPCInferenceService/ModelInfer";

/// An answer to a gRPC request.
#[derive(Clone, Debug)]
pub enum GrpcReply {
    /// HTTP status, content type, body: what a server says that does not know gRPC.
    Http(u16, &'static str, Vec<u8>),
    /// A status other than OK with its message, in the headers as Envoy and servers do it.
    Status(u32, String),
    /// A body as it is, then OK.
    Body(Vec<u8>),
    /// A body as it is, then nothing more.
    Unfinished(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub struct InferRequest {
    #[prost(string, tag = "1")]
    pub model_name: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(message, repeated, tag = "5")]
    pub inputs: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub shape: Vec<i64>,
    #[prost(message, optional, tag = "5")]
    pub contents: Option<Contents>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Contents {
    #[prost(int64, repeated, tag = "3")]
    pub int64: Vec<i64>,
    #[prost(float, repeated, tag = "6")]
    pub fp32: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct InferResponse {
    #[prost(string, tag = "1")]
    pub model_name: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub raw_output_contents: Vec<Vec<u8>>,
}

/// A message in its frame.
pub fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), message.as_slice()].concat()
}

/// What `ModelInfer` of a model that says 1 to each row answers.
pub fn infer(name: &str, body: &[u8]) -> GrpcReply {
    let (head, message) = body.split_at(5.min(body.len()));
    let request = InferRequest::decode(message).unwrap_or_default();
    if head.first() != Some(&0) || usize::try_from(u32::from_be_bytes(head[1..].try_into().unwrap())) != Ok(message.len()) {
        return GrpcReply::Status(13, "a frame that is none".into());
    }
    if request.model_name != name {
        return GrpcReply::Status(5, format!("Model with name {} does not exist.", request.model_name));
    }
    let [input] = request.inputs.as_slice() else { return GrpcReply::Status(3, "one input expected".into()) };
    let (rows, columns) = (input.shape.first().copied().unwrap_or(0), input.shape.get(1).copied().unwrap_or(0));
    let values = input.contents.as_ref().map_or(0, |contents| contents.fp32.len());
    if input.datatype != "FP32" || usize::try_from(rows * columns) != Ok(values) || columns != 4 {
        return GrpcReply::Status(3, format!("X has {columns} features, but SVC is expecting 4 features as input."));
    }
    let contents = Contents { int64: vec![1; usize::try_from(rows).unwrap()], fp32: Vec::new() };
    let output = Tensor { name: "output-0".into(), datatype: "INT64".into(), shape: vec![rows], contents: Some(contents) };
    let id = if request.id.is_empty() { "made-up".into() } else { request.id };
    GrpcReply::Body(framed(&InferResponse { model_name: name.into(), id, outputs: vec![output], raw_output_contents: Vec::new() }))
}

/// Does a connection begin with HTTP/2's preface?
pub async fn begins_http2(stream: &TcpStream) -> bool {
    let mut first = [0; 3];
    loop {
        match stream.peek(&mut first).await {
            Ok(3) => return &first == b"PRI",
            Ok(count) if count > 0 && b"PRI".starts_with(&first[..count]) => tokio::task::yield_now().await,
            _ => return false,
        }
    }
}

/// Serves a connection of HTTP/2.
pub async fn serve<S, H, F>(stream: S, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Fn(Got) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = GrpcReply> + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(response(handler(got(request).await).await)) }
    });
    drop(hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

async fn got(request: Request<Incoming>) -> Got {
    let (parts, body) = request.into_parts();
    let mut headers: Vec<(String, String)> =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.push(("host".into(), parts.uri.authority().unwrap().to_string()));
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    Got { method: parts.method.to_string(), path: parts.uri.path().into(), query: String::new(), headers, body }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn response(reply: GrpcReply) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut code = 200;
    let mut frames = Vec::new();
    match reply {
        GrpcReply::Http(status, kind, body) => {
            code = status;
            headers.insert("content-type", HeaderValue::from_static(kind));
            frames.push(Frame::data(body.into()));
        }
        GrpcReply::Status(status, message) => {
            headers.insert("grpc-status", status.into());
            if !message.is_empty() {
                headers.insert("grpc-message", message.replace('%', "%25").replace('\n', "%0A").parse().unwrap());
            }
        }
        GrpcReply::Body(body) => {
            frames.push(Frame::data(body.into()));
            frames.push(Frame::trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))])));
        }
        GrpcReply::Unfinished(body) => frames.push(Frame::data(body.into())),
    }
    let body = StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok))).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = code.try_into().unwrap();
    *response.headers_mut() = headers;
    response
}
