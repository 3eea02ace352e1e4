//! A command in a container, with as much input as one likes.

use std::pin::pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{DockerError, Engine};
use crate::fetch::{OnBytes, Pulse, quiet};

const CHUNK: usize = 128 * 1024;
/// What is kept of each output; more is read and dropped.
const KEEP: usize = 8 * 1024 * 1024;
const TAIL: usize = 2000;
/// How long an exit code may come after the last output.
const EXIT_CODE_WITHIN: Duration = Duration::from_mins(1);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// Exit code.
    pub code: i64,
    /// The first 8 MiB of it.
    pub stdout: String,
    /// The first 8 MiB of it.
    pub stderr: String,
}

impl Engine {
    /// Runs a command and collects what it says; `idle` bounds the time without a byte, not the whole.
    pub async fn exec(&self, container: &str, argv: &[&str], idle: Duration) -> Result<ExecOutput, DockerError> {
        self.run(container, argv, None::<tokio::io::Empty>, idle, &quiet).await
    }

    /// The same with standard input streamed from `stdin` and closed at its end.
    ///
    /// Input waits for the command to take it: memory stays bounded whatever the size. A command that ends before its input does is
    /// not an error here; its exit code tells. When `stdin` itself fails, that is the error.
    pub async fn exec_with_stdin<R>(
        &self,
        container: &str,
        argv: &[&str],
        stdin: R,
        idle: Duration,
        on_bytes: OnBytes<'_>,
    ) -> Result<ExecOutput, DockerError>
    where
        R: AsyncRead + Send + Unpin,
    {
        self.run(container, argv, Some(stdin), idle, on_bytes).await
    }

    /// As [`Engine::exec`], and an exit code other than 0 is an error with the end of what the command said.
    pub async fn exec_ok(&self, container: &str, argv: &[&str], idle: Duration) -> Result<String, DockerError> {
        self.exec(container, argv, idle).await?.ok(container, argv)
    }

    async fn run<R>(
        &self,
        container: &str,
        argv: &[&str],
        stdin: Option<R>,
        idle: Duration,
        on_bytes: OnBytes<'_>,
    ) -> Result<ExecOutput, DockerError>
    where
        R: AsyncRead + Send + Unpin,
    {
        let what = format!("run `{}` in {container}", words(argv));
        let configuration = ExecConfig {
            attach_stdin: Some(stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.iter().map(|&word| word.to_owned()).collect()),
            ..ExecConfig::default()
        };
        let exec = self.call(&what, self.api.create_exec(container, configuration)).await?.id;
        let started = self.call(&what, self.api.start_exec(&exec, None::<StartExecOptions>)).await?;
        let StartExecResults::Attached { mut output, mut input } = started else {
            return Err(DockerError::Refused { what, code: None, message: "the engine gave no streams".into() });
        };
        let pulse = Pulse::default();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let feed = async {
            let Some(mut stdin) = stdin else { return Ok(()) };
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = stdin.read(&mut buffer).await.map_err(DockerError::io(format!("{what}: read its input")))?;
                // A broken pipe means that the command has ended: its output and exit code say why.
                if count == 0 || input.write_all(&buffer[..count]).await.is_err() {
                    break;
                }
                pulse.add(count);
            }
            let _ = input.shutdown().await;
            Ok::<_, DockerError>(())
        };
        let collect = async {
            while let Some(chunk) = output.next().await {
                match chunk.map_err(|error| self.error(&what, &error))? {
                    LogOutput::StdErr { message } => keep(&mut stderr, &message),
                    other => keep(&mut stdout, &other.into_bytes()),
                }
                pulse.touch();
            }
            Ok::<_, DockerError>(())
        };
        let both = async {
            let mut collect = pin!(collect);
            tokio::select! {
                biased;
                ended = &mut collect => return ended,
                done = feed => done?,
            }
            collect.await
        };
        pulse.watch(idle, on_bytes, both).await.map_err(|idle| DockerError::Idle { what: what.clone(), idle })??;
        let code = self.exit_code(&exec, &what).await?;
        Ok(ExecOutput { code, stdout: text(&stdout), stderr: text(&stderr) })
    }

    /// The streams may end a moment before the engine has noted the exit.
    async fn exit_code(&self, exec: &str, what: &str) -> Result<i64, DockerError> {
        let wait = async {
            loop {
                let state = self.call(what, self.api.inspect_exec(exec)).await?;
                match state.exit_code {
                    Some(code) if state.running != Some(true) => return Ok(code),
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let late = DockerError::Timeout { what: what.to_owned(), seconds: EXIT_CODE_WITHIN.as_secs() };
        tokio::time::timeout(EXIT_CODE_WITHIN, wait).await.unwrap_or(Err(late))
    }
}

impl ExecOutput {
    /// Standard output of a command that ended with 0.
    pub fn ok(self, container: &str, argv: &[&str]) -> Result<String, DockerError> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        Err(DockerError::Command {
            container: container.to_owned(),
            command: words(argv),
            code: self.code,
            stderr: tail(said.trim()).to_owned(),
        })
    }
}

fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    let room = KEEP - kept.len().min(KEEP);
    kept.extend_from_slice(&more[..more.len().min(room)]);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn tail(said: &str) -> &str {
    let mut start = said.len().saturating_sub(TAIL);
    while !said.is_char_boundary(start) {
        start += 1;
    }
    &said[start..]
}

/// The first words of a command, for messages.
fn words(argv: &[&str]) -> String {
    let shown: Vec<&str> = argv.iter().take(6).copied().collect();
    let mut joined = shown.join(" ");
    if argv.len() > shown.len() {
        joined.push_str(" …");
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_up_to_a_bound_and_a_failure_shows_its_end() {
        let mut kept = vec![b'x'; KEEP - 1];
        keep(&mut kept, b"yz");
        keep(&mut kept, b"more");
        assert_eq!((kept.len(), kept[KEEP - 1]), (KEEP, b'y'));
        let output = ExecOutput { code: 3, stdout: String::new(), stderr: format!("{}é the end\n", "a".repeat(5000)) };
        let error = output.ok("node", &["ctr", "images"]).unwrap_err().to_string();
        assert!(error.starts_with("`ctr images` in node ended with 3: a") && error.ends_with("é the end"), "{error}");
    }
}
