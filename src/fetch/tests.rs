//! A source on the loopback address that answers as scripted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::error::{Exit, Explain};

/// One answer to one request.
enum Answer {
    Status(u16),
    StatusWith(u16, &'static str),
    Whole(Vec<u8>),
    /// The head and so many bytes of the body, then the connection is closed.
    Cut(Vec<u8>, usize),
    /// The head and so many bytes of the body, then nothing.
    Still(Vec<u8>, usize),
    /// Honours a Range.
    Ranged(Vec<u8>),
    /// A body without a length.
    Endless(Vec<u8>),
}

struct Source {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Source {
    async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let mut answers = VecDeque::from(answers);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if socket.read(&mut byte).await.unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
                seen.lock().unwrap().push(request.clone());
                let answer = answers.pop_front().unwrap_or(Answer::Status(500));
                tokio::spawn(async move { reply(socket, &request, answer).await });
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/file", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn reply(mut socket: tokio::net::TcpStream, request: &str, answer: Answer) {
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n")
    };
    let from = request
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))
        .and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
    let (bytes, stays) = match answer {
        Answer::Status(status) => (head(&status.to_string(), 0, "").into_bytes(), false),
        Answer::StatusWith(status, more) => (head(&status.to_string(), 0, more).into_bytes(), false),
        Answer::Whole(body) => ([head("200", body.len(), "").into_bytes(), body].concat(), false),
        Answer::Cut(body, count) => ([head("200", body.len(), "").as_bytes(), &body[..count]].concat(), false),
        Answer::Still(body, count) => ([head("200", body.len(), "").as_bytes(), &body[..count]].concat(), true),
        Answer::Ranged(body) => {
            let from = from.unwrap_or(0);
            let range = format!("content-range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
            ([head("206", body.len() - from, &range).as_bytes(), &body[from..]].concat(), false)
        }
        Answer::Endless(body) => ([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", &body[..]].concat(), false),
    };
    let _ = socket.write_all(&bytes).await;
    if stays {
        let _ = socket.read(&mut [0]).await;
    }
}

struct Bench {
    folder: tempfile::TempDir,
    cache: Cache,
    client: reqwest::Client,
    body: Vec<u8>,
    sha256: String,
}

impl Bench {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy {
            idle: Duration::from_secs(20),
            backoff: Duration::from_millis(1),
            backoff_limit: Duration::from_millis(5),
            ..Policy::default()
        };
        let cache = Cache::new(folder.path()).with_policy(policy);
        let body: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let sha256 = hex::encode(Sha256::digest(&body));
        Self { folder, cache, client: super::client::direct_client().unwrap(), body, sha256 }
    }

    fn download(&self, urls: &[String]) -> Download {
        Download {
            what: "kserve.yaml".into(),
            urls: urls.to_vec(),
            sha256: Some(self.sha256.clone()),
            size: Some(self.body.len() as u64),
            authorization: None,
        }
    }

    async fn fetch(&self, download: &Download) -> Result<Cached, FetchError> {
        self.cache.fetch(&self.client, download, &quiet, &CancellationToken::new()).await
    }

    fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.folder.path().join("downloads")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[tokio::test]
async fn a_busy_source_is_asked_again_and_the_file_is_then_in_the_cache() {
    let bench = Bench::new();
    let source =
        Source::start(vec![Answer::StatusWith(429, "retry-after: 0\r\n"), Answer::Status(503), Answer::Whole(bench.body.clone())]).await;
    let download = bench.download(&[source.url()]);
    let told = Mutex::new(0);
    let cached =
        bench.cache.fetch(&bench.client, &download, &|bytes| *told.lock().unwrap() = bytes, &CancellationToken::new()).await.unwrap();
    assert_eq!((cached.size, *told.lock().unwrap()), (bench.body.len() as u64, bench.body.len() as u64));
    assert_eq!(fs_err::read(&cached.path).unwrap(), bench.body);
    assert_eq!(bench.names(), [bench.sha256.as_str()]);
    assert_eq!(bench.fetch(&download).await.unwrap(), cached);
    assert_eq!(source.requests().len(), 3, "the second fetch asks nobody");
}

#[tokio::test]
async fn a_cut_transfer_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let source = Source::start(vec![Answer::Cut(bench.body.clone(), 300_000), Answer::Ranged(bench.body.clone())]).await;
    let cached = bench.fetch(&bench.download(&[source.url()])).await.unwrap();
    assert_eq!(fs_err::read(&cached.path).unwrap(), bench.body);
    assert!(source.requests()[1].contains("range: bytes=300000-"), "{:?}", source.requests());
}

#[tokio::test]
async fn a_source_without_ranges_starts_over() {
    let bench = Bench::new();
    let source = Source::start(vec![Answer::Cut(bench.body.clone(), 300_000), Answer::Whole(bench.body.clone())]).await;
    assert_eq!(fs_err::read(bench.fetch(&bench.download(&[source.url()])).await.unwrap().path).unwrap(), bench.body);
}

#[tokio::test]
async fn a_later_run_goes_on_too_and_distrusts_a_wrong_beginning() {
    let mut bench = Bench::new();
    bench.cache.policy.tries = 1;
    let source = Source::start(vec![Answer::Cut(bench.body.clone(), 300_000)]).await;
    assert_eq!(bench.fetch(&bench.download(&[source.url()])).await.unwrap_err().id(), "DOWNLOAD_FAILED");
    let part = format!("{}.part", bench.sha256);
    assert_eq!(bench.names(), [part.as_str()]);
    let source = Source::start(vec![Answer::Ranged(bench.body.clone())]).await;
    bench.fetch(&bench.download(&[source.url()])).await.unwrap();
    assert!(source.requests()[0].contains("range: bytes=300000-"));

    fs_err::remove_file(bench.cache.place(&bench.sha256)).unwrap();
    fs_err::write(bench.folder.path().join("downloads").join(part), [7_u8; 1000]).unwrap();
    let source = Source::start(vec![Answer::Ranged(bench.body.clone()), Answer::Ranged(bench.body.clone())]).await;
    bench.fetch(&bench.download(&[source.url()])).await.unwrap();
    assert!(!source.requests()[1].contains("range:"), "the second try takes the whole");
}

#[tokio::test]
async fn a_source_that_stands_still_is_given_up() {
    let mut bench = Bench::new();
    bench.cache.policy.idle = Duration::from_millis(200);
    let source = Source::start(vec![Answer::Still(bench.body.clone(), 1000), Answer::Ranged(bench.body.clone())]).await;
    bench.fetch(&bench.download(&[source.url()])).await.unwrap();
    assert_eq!(source.requests().len(), 2);
}

#[tokio::test]
async fn a_wrong_sum_is_refused_and_the_file_kept_aside() {
    let bench = Bench::new();
    let mut wrong = bench.body.clone();
    wrong[5] ^= 1;
    let source = Source::start(vec![Answer::Whole(wrong.clone())]).await;
    let error = bench.fetch(&bench.download(&[source.url()])).await.unwrap_err();
    assert_eq!((error.id(), error.exit()), ("CHECKSUM", Exit::Verification));
    let found = hex::encode(Sha256::digest(&wrong));
    assert!(error.to_string().contains(&bench.sha256) && error.to_string().contains(&found), "{error}");
    assert_eq!(bench.names(), [format!("{}.rejected", bench.sha256)]);
    assert_eq!(source.requests().len(), 1, "a wrong file is not asked for again");
}

/// A network's login page answers every URL with 200.
#[tokio::test]
async fn a_login_page_is_recognised() {
    let bench = Bench::new();
    let source = Source::start(vec![Answer::Whole(b"<!DOCTYPE html><title>Welcome to our wifi".to_vec())]).await;
    let error = bench.fetch(&bench.download(&[source.url()])).await.unwrap_err();
    assert!(error.hint().unwrap().contains("log in to this network"), "{error:?}");
}

#[tokio::test]
async fn more_than_the_pinned_size_is_refused_before_it_is_read() {
    let bench = Bench::new();
    let longer = [&bench.body[..], b"!"].concat();
    for answer in [Answer::Whole(longer.clone()), Answer::Endless(longer)] {
        let source = Source::start(vec![answer]).await;
        let error = bench.fetch(&bench.download(&[source.url()])).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLong { .. }), "{error}");
        assert_eq!((error.id(), error.exit(), bench.names().len()), ("CHECKSUM", Exit::Verification, 0));
    }
}

#[tokio::test]
async fn the_next_source_is_asked_when_one_has_it_not_or_is_broken_or_gone() {
    let bench = Bench::new();
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/file", listener.local_addr().unwrap())
    };
    let missing = Source::start(vec![Answer::Status(404)]).await;
    let forbidden = Source::start(vec![Answer::Status(403)]).await;
    let broken = Source::start(vec![]).await;
    let good = Source::start(vec![Answer::Whole(bench.body.clone())]).await;
    bench.fetch(&bench.download(&[gone, missing.url(), forbidden.url(), broken.url(), good.url()])).await.unwrap();
    let counts = [&missing, &forbidden, &broken, &good].map(|source| source.requests().len());
    assert_eq!(counts, [1, 1, 4, 1]);
}

#[tokio::test]
async fn without_any_source_the_error_says_which_kind_of_nothing() {
    let bench = Bench::new();
    let missing = Source::start(vec![Answer::Status(404)]).await;
    assert_eq!(bench.fetch(&bench.download(&[missing.url()])).await.unwrap_err().id(), "DOWNLOAD_404");
    let broken = Source::start(vec![]).await;
    let error = bench.fetch(&bench.download(&[broken.url()])).await.unwrap_err();
    assert_eq!((error.id(), error.exit()), ("DOWNLOAD_FAILED", Exit::Prerequisite));
    assert!(error.to_string().contains("500 Internal Server Error"), "{error}");
    assert!(bench.names().is_empty());
}

#[tokio::test]
async fn without_a_pin_whatever_comes_is_kept_under_its_sum() {
    let bench = Bench::new();
    let source = Source::start(vec![Answer::Whole(bench.body.clone())]).await;
    let cached = bench.fetch(&Download { sha256: None, size: None, ..bench.download(&[source.url()]) }).await.unwrap();
    assert_eq!(cached.sha256, bench.sha256);
}

#[tokio::test]
async fn a_damaged_file_of_the_cache_is_set_aside_and_fetched_again() {
    let bench = Bench::new();
    let put = bench.cache.put_reader("kserve.yaml", &bench.sha256, &bench.body[..], &quiet).await.unwrap();
    assert_eq!(bench.cache.get(&bench.sha256).await.unwrap(), Some(put.clone()));
    fs_err::write(&put, b"damaged").unwrap();
    assert_eq!(bench.cache.get(&bench.sha256).await.unwrap(), None);
    assert_eq!(bench.names(), [format!("{}.damaged", bench.sha256)]);
    let source = Source::start(vec![Answer::Whole(bench.body.clone())]).await;
    bench.fetch(&bench.download(&[source.url()])).await.unwrap();
    assert!(bench.names().contains(&bench.sha256));
    let error = bench.cache.put_reader("x", &bench.sha256, &b"other"[..], &quiet).await.unwrap_err();
    assert_eq!(error.id(), "CHECKSUM");
}

#[tokio::test]
async fn a_cancelled_download_ends_at_once() {
    let bench = Bench::new();
    let source = Source::start(vec![Answer::Still(bench.body.clone(), 1000)]).await;
    let cancel = CancellationToken::new();
    let stop = |_| cancel.cancel();
    let error = bench.cache.fetch(&bench.client, &bench.download(&[source.url()]), &stop, &cancel).await.unwrap_err();
    assert_eq!((error.id(), error.exit()), ("INTERRUPTED", Exit::Interrupted));
}
