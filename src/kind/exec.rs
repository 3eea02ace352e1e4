//! Child processes: the one place where another program is started.
//!
//! A child is the leader of its own group, so that Ctrl-C reaches it only through us and what it started dies with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// Told every line of a child's standard error.
pub type OnLine<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How much of standard error an error shows.
const TAIL: usize = 16_000;
/// Between the polite and the other signal.
const GRACE: Duration = Duration::from_secs(10);
/// How long output may come after the child has ended, from something that it left behind.
const AFTERMATH: Duration = Duration::from_secs(2);

/// A program to run.
#[derive(Clone, Debug)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    stdin: Option<Vec<u8>>,
    deadline: Duration,
}

/// A child that ended with 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: String,
}

/// A child that did not end with 0.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("{program} could not be started")]
    Start {
        /// Path.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It said that it failed.
    #[error("`{command}` ended with {status}")]
    Failed {
        /// Program and verb.
        command: String,
        /// Exit code or signal.
        status: ExitStatus,
        /// The end of its standard error.
        stderr: String,
    },
    /// It took too long and was ended.
    #[error("`{command}` did not end within {seconds} s")]
    Deadline {
        /// Program and verb.
        command: String,
        /// The bound.
        seconds: u64,
        /// The end of its standard error.
        stderr: String,
    },
    /// Ctrl-C: it was ended.
    #[error("`{command}` was interrupted")]
    Cancelled {
        /// Program and verb.
        command: String,
    },
}

impl CommandError {
    /// The end of the child's standard error, where it ran.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } | Self::Deadline { stderr, .. } => stderr,
            Self::Start { .. } | Self::Cancelled { .. } => "",
        }
    }
}

impl Command {
    /// A program by its path, with a bound on its run time.
    pub fn new(program: &Path, deadline: Duration) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new(), environment: Vec::new(), stdin: None, deadline }
    }

    /// Further arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Variables beside those of this process.
    #[must_use]
    pub fn envs(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// What it reads; without, it reads nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Program and verb, for people.
    fn shown(&self) -> String {
        let program = self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy();
        let words = self.arguments.iter().map(|word| word.to_string_lossy()).take_while(|word| !word.starts_with('-'));
        std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end. On the deadline or on `cancel` its whole group gets SIGTERM, and SIGKILL ten seconds later; when the future is
    /// dropped, SIGKILL at once.
    pub async fn run(self, cancel: &CancellationToken, on_line: OnLine<'_>) -> Result<Finished, CommandError> {
        let command = self.shown();
        tracing::debug!(command, "start");
        let mut child = self.spawn().await.map_err(|source| CommandError::Start { program: self.program.display().to_string(), source })?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut output, mut lines) = (Vec::new(), Lines { on_line, open: Vec::new(), tail: String::new() });
        let input = self.stdin.unwrap_or_default();
        let end = {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // A child that does not read its input says why on standard error.
                    let _ = stdin.write_all(&input).await;
                }
            };
            let mut streams = pin!(async { tokio::join!(feed, collect(stdout, &mut output), lines.follow(stderr)) });
            let mut run = pin!(async {
                tokio::select! {
                    status = child.wait() => {
                        let _ = tokio::time::timeout(AFTERMATH, &mut streams).await;
                        status
                    }
                    _ = &mut streams => child.wait().await,
                }
            });
            let end = tokio::select! {
                biased;
                status = &mut run => End::Status(status),
                () = cancel.cancelled() => End::Cancelled,
                () = tokio::time::sleep(self.deadline) => End::Deadline,
            };
            if !matches!(end, End::Status(_)) {
                group.signal(Signal::TERM);
                if tokio::time::timeout(GRACE, &mut run).await.is_err() {
                    group.signal(Signal::KILL);
                    let _ = tokio::time::timeout(GRACE, &mut run).await;
                }
            }
            end
        };
        let stderr = lines.finish();
        match end {
            End::Status(status) => {
                let status = status.map_err(|source| CommandError::Start { program: command.clone(), source })?;
                group.reaped();
                if status.success() {
                    Ok(Finished { stdout: output, stderr })
                } else {
                    Err(CommandError::Failed { command, status, stderr })
                }
            }
            End::Cancelled => Err(CommandError::Cancelled { command }),
            End::Deadline => Err(CommandError::Deadline { command, seconds: self.deadline.as_secs(), stderr }),
        }
    }

    async fn spawn(&self) -> std::io::Result<tokio::process::Child> {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        // A program that was just written may still be open for writing in a sibling between its fork and its exec.
        for _ in 0..20 {
            match command.spawn() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => tokio::time::sleep(Duration::from_millis(25)).await,
                other => return other,
            }
        }
        command.spawn()
    }
}

enum End {
    Status(std::io::Result<ExitStatus>),
    Cancelled,
    Deadline,
}

/// The child's group; killed when this goes before the child was reaped.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, signal);
        }
    }

    fn reaped(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn collect(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(into).await;
    }
}

/// Standard error, line by line, and its end.
struct Lines<'a> {
    on_line: OnLine<'a>,
    open: Vec<u8>,
    tail: String,
}

impl Lines<'_> {
    async fn follow(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            for &byte in &buffer[..count] {
                // A progress line ends with a carriage return.
                if byte == b'\n' || byte == b'\r' {
                    self.line();
                } else {
                    self.open.push(byte);
                }
            }
        }
    }

    fn line(&mut self) {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.open)).trim_end().to_owned();
        if text.is_empty() {
            return;
        }
        (self.on_line)(&text);
        self.tail.push_str(&text);
        self.tail.push('\n');
        if self.tail.len() > 2 * TAIL {
            let mut start = self.tail.len() - TAIL;
            while !self.tail.is_char_boundary(start) {
                start += 1;
            }
            self.tail.drain(..start);
        }
    }

    fn finish(mut self) -> String {
        self.line();
        self.tail.trim_end().to_owned()
    }
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
