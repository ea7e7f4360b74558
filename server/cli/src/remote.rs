//! The other end of the console: asks a running exchange by its socket. Blocks; needs no runtime.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::exchange::Answer;
use crate::socket::{END, LINE_BYTES_MAX, SOCKET_NAME};

/// Bytes of an answer that are read.
pub const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long an answer may take. The exchange gives a command up before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// There is no socket, or nobody behind it.
    #[error(
        "no sidetone runs on the data folder {0}; start one, or name its folder with --data DIR"
    )]
    NotRunning(String),
    /// A line with its end in it, or one longer than the console takes.
    #[error("the command must be one line of less than {LINE_BYTES_MAX} bytes")]
    NotOneLine,
    /// The exchange stopped, or took too long.
    #[error("the exchange broke off its answer")]
    BrokenOff,
    /// The exchange does not take this console; why.
    #[error("{0}")]
    Refused(String),
    /// What the system says.
    #[error("cannot speak to the exchange: {0}")]
    Io(#[from] io::Error),
}

/// Runs a command line on the exchange whose data folder is `folder`.
///
/// # Errors
///
/// See [`Unanswered`].
pub fn ask(folder: &Path, line: &str) -> Result<Answer, Unanswered> {
    ask_at(folder, None, line)
}

/// The same, typed at an attached console.
pub(crate) fn ask_at(
    folder: &Path,
    console: Option<u32>,
    line: &str,
) -> Result<Answer, Unanswered> {
    match console {
        Some(id) => request(folder, &format!("run:{id}"), line),
        None => request(folder, "run", line),
    }
}

/// The words that the last word of `line` may become.
///
/// # Errors
///
/// See [`Unanswered`].
pub fn complete(folder: &Path, line: &str) -> Result<Vec<String>, Unanswered> {
    let answer = request(folder, "complete", line)?;
    Ok(answer.text.lines().map(str::to_owned).collect())
}

fn request(folder: &Path, verb: &str, line: &str) -> Result<Answer, Unanswered> {
    let request = format!("{verb} {line}\n");
    if line.contains(['\n', '\r']) || request.len() as u64 > LINE_BYTES_MAX {
        return Err(Unanswered::NotOneLine);
    }
    let mut stream = connect(folder)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(Unanswered::BrokenOff);
        }
        Err(error) => return Err(error.into()),
    }
    let whole = String::from_utf8(bytes).map_err(|_| Unanswered::BrokenOff)?;
    let (text, done) = whole.rsplit_once(END).ok_or(Unanswered::BrokenOff)?;
    Ok(Answer {
        text: text.to_owned(),
        done: done == "1",
    })
}

/// The socket of a running exchange.
pub(crate) fn connect(folder: &Path) -> Result<UnixStream, Unanswered> {
    UnixStream::connect(folder.join(SOCKET_NAME)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Unanswered::NotRunning(folder.display().to_string())
        }
        _ => Unanswered::Io(error),
    })
}
